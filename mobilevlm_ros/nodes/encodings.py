"""Raw image messages to RGB: how samples lie in their bytes, as pure functions."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.engine import Encoding, ImageError, Pixels, encoding_for


@dataclass(frozen=True)
class Plane:
    """One plane of an image in memory, whose rows may be padded."""

    start: int  # in the data, bytes
    rows: int
    columns: int
    channels: int
    sample: np.dtype  # in the message's byte order
    step: int  # bytes from one row to the next

    @property
    def end(self) -> int:
        """Where its last row ends, padding included."""
        return self.start + self.rows * self.step

    def samples(self, data: array[int] | bytes) -> np.ndarray:
        """[rows, columns, channels] or [rows, columns] of the data; a view if it can be."""
        size, axes = self.sample.itemsize, 3 if self.channels > 1 else 2
        shape = (self.rows, self.columns, self.channels)[:axes]
        strides = (self.step, self.channels * size, size)[:axes]
        found: np.ndarray = np.ndarray(shape, self.sample, data, self.start, strides)
        return np.require(found, self.sample.newbyteorder('='), 'A')  # OpenCV asks for aligned


def to_rgb(
    data: array[int] | bytes,
    encoding: str,
    height: int,
    width: int,
    step: int,
    is_bigendian: bool = False,
) -> Pixels:
    """Make RGB uint8 [height, width, 3] of a raw image.

    An rgb8 image is not copied: the result is a read-only view of `data`.

    Args:
        data: the rows, one after the other.
        encoding: a name of sensor_msgs/image_encodings.
        height: rows of pixels.
        width: pixels of a row.
        step: bytes from one row to the next.
        is_bigendian: byte order of 16-bit samples.

    Raises:
        ImageError: if the encoding is not known, or the data are not such an image.
    """
    known = encoding_for(encoding, height, width)
    needed = width * known.pixel_bytes
    if step < needed:
        raise ImageError(
            f'step is {step} bytes, but a row of {width} {encoding} pixels takes {needed}'
        )
    planes = _planes(known, height, width, step, is_bigendian)
    _check_size(encoding, planes, len(data))
    return known.rgb(*(plane.samples(data) for plane in planes))


def _planes(
    known: Encoding, height: int, width: int, step: int, is_bigendian: bool
) -> list[Plane]:
    sample = np.dtype('u1' if known.bits == 8 else '>u2' if is_bigendian else '<u2')
    planes = [Plane(0, height, width, known.channels, sample, step)]
    if known.shrunk:  # pairs of chroma, padded in proportion
        height, width, step = (side // known.shrunk for side in (height, width, 2 * step))
        planes.append(Plane(planes[0].end, height, width, 2, sample, step))
    return planes


def _check_size(encoding: str, planes: list[Plane], found: int) -> None:
    """Raise unless the data end where the image does: if not, its fields are not to be trusted."""
    size = planes[-1].end
    if found == size:
        return
    rows = ' and '.join(f'{plane.rows} rows of {plane.step} bytes' for plane in planes)
    fault = 'is truncated' if found < size else 'has too much data'
    raise ImageError(f'the {encoding} image {fault}: {rows} are {size} bytes, data has {found}')
