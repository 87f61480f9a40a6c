"""Raw pixels in any common ROS image encoding to RGB, as pure functions of numpy arrays."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mobilevlm_ros.engine import ImageError

Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Encoding:
    """How an encoding lies in memory and what makes RGB uint8 [h, w, 3] of it.

    `convert` gets [h, w, channels] samples in native byte order, [h, w] with one channel.
    A planar 4:2:0 image is passed as [h * 3 / 2, w].
    """

    convert: Convert
    channels: int = 1
    bits: int = 8
    halved: tuple[int, int] = (1, 1)  # height and width must be multiples of these
    planar: bool = False

    @property
    def pixel_bytes(self) -> int:
        """Bytes that a pixel takes in a row."""
        return self.channels * self.bits // 8


def _colour(code: int) -> Convert:
    return lambda samples: cv2.cvtColor(samples, code)


def _narrow(convert: Convert) -> Convert:
    """Keep the upper eight bits of sixteen, after a conversion at full depth."""
    return lambda samples: (convert(samples) >> 8).astype(np.uint8)


def _same(samples: np.ndarray) -> np.ndarray:
    return samples


def _with_depths(name: str, channels: int, convert: Convert) -> dict[str, Encoding]:
    return {
        f'{name}8': Encoding(convert, channels),
        f'{name}16': Encoding(_narrow(convert), channels, bits=16),
    }


# OpenCV names Bayer patterns after the second row and column, ROS after the first.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2RGB,
    'bggr': cv2.COLOR_BayerRG2RGB,
    'gbrg': cv2.COLOR_BayerGR2RGB,
    'grbg': cv2.COLOR_BayerGB2RGB,
}


def _bayer() -> dict[str, Encoding]:
    return {
        f'bayer_{pattern}{bits}': Encoding(
            _colour(code) if bits == 8 else _narrow(_colour(code)), bits=bits, halved=(2, 2)
        )
        for pattern, code in _BAYER.items()
        for bits in (8, 16)
    }


def _yuv() -> dict[str, Encoding]:
    uyvy = Encoding(_colour(cv2.COLOR_YUV2RGB_UYVY), 2, halved=(1, 2))
    yuyv = Encoding(_colour(cv2.COLOR_YUV2RGB_YUY2), 2, halved=(1, 2))
    nv12 = Encoding(_colour(cv2.COLOR_YUV2RGB_NV12), halved=(2, 2), planar=True)
    nv21 = Encoding(_colour(cv2.COLOR_YUV2RGB_NV21), halved=(2, 2), planar=True)
    names = {'uyvy': uyvy, 'yuv422': uyvy, 'yuyv': yuyv, 'yuv422_yuy2': yuyv}
    return {**names, 'nv12': nv12, 'nv21': nv21}


ENCODINGS: dict[str, Encoding] = {
    **_with_depths('rgb', 3, _same),
    **_with_depths('bgr', 3, _colour(cv2.COLOR_BGR2RGB)),
    **_with_depths('rgba', 4, _colour(cv2.COLOR_RGBA2RGB)),
    **_with_depths('bgra', 4, _colour(cv2.COLOR_BGRA2RGB)),
    **_with_depths('mono', 1, _colour(cv2.COLOR_GRAY2RGB)),
    **_bayer(),
    **_yuv(),
}


def to_rgb(
    data: array[int] | bytes,
    encoding: str,
    height: int,
    width: int,
    step: int,
    is_bigendian: bool = False,
) -> np.ndarray:
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
        ImageError: if the encoding is not known, or the data cannot hold such an image.
    """
    known = ENCODINGS.get(encoding)
    if known is None:
        raise ImageError(
            f'image encoding {encoding!r} is not supported; send one of '
            + ', '.join(sorted(ENCODINGS))
        )
    _check_size(known, encoding, height, width)
    rows = height * 3 // 2 if known.planar else height
    samples = _samples(np.frombuffer(data, np.uint8), known, rows, width, step)
    if known.bits == 16:
        samples = samples.view('>u2' if is_bigendian else '<u2').astype(np.uint16)
    shape = (rows, width, known.channels) if known.channels > 1 else (rows, width)
    rgb = known.convert(samples.reshape(shape))
    rgb.flags.writeable = False
    return rgb


def _check_size(known: Encoding, encoding: str, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(f'the image is empty: {width}x{height} pixels')
    if height % known.halved[0] or width % known.halved[1]:
        raise ImageError(f'{encoding} images have even sides, not {width}x{height} pixels')


def _samples(flat: np.ndarray, known: Encoding, rows: int, width: int, step: int) -> np.ndarray:
    """The bytes of the pixels without the padding of each row, uint8 [rows, bytes of a row]."""
    row_bytes = width * known.pixel_bytes
    if step < row_bytes:
        raise ImageError(f'step is {step} bytes, but a row of {width} pixels takes {row_bytes}')
    if flat.size < rows * step:
        raise ImageError(
            f'the image is truncated: {rows} rows of {step} bytes need {rows * step} bytes, '
            f'data has {flat.size}'
        )
    return flat[: rows * step].reshape(rows, step)[:, :row_bytes]
