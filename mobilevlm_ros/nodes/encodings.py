"""Raw pixels in any common ROS image encoding to RGB, as pure functions of numpy arrays."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mobilevlm_ros.engine import ImageError

Convert = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Encoding:
    """How an encoding lies in memory and what makes RGB uint8 [h, w, 3] of it.

    `convert` gets [h, w, channels] samples in native byte order, [h, w] with one channel. One in
    two planes is passed as luma [h, w] and chroma [h / shrunk, w / shrunk, 2].
    """

    convert: Convert
    channels: int = 1
    bits: int = 8
    halved: tuple[int, int] = (1, 1)  # height and width must be multiples of these
    shrunk: int = 0  # by how much each side of a second plane, of chroma, is smaller; 0: none

    @property
    def pixel_bytes(self) -> int:
        """Bytes that a pixel takes in a row."""
        return self.channels * self.bits // 8


def _colour(code: int) -> Convert:
    return lambda samples: cv2.cvtColor(samples, code)


def _two_planes(code: int) -> Convert:
    return lambda luma, chroma: cv2.cvtColorTwoPlane(luma, chroma, code)


def _narrow(convert: Convert) -> Convert:
    """Keep the upper eight bits of sixteen, after a conversion at full depth."""
    return lambda samples: (convert(samples) >> 8).astype(np.uint8)


def _same(samples: np.ndarray) -> np.ndarray:
    return samples


def _with_depths(name: str, cv: str, channels: int, convert: Convert) -> dict[str, Encoding]:
    """An encoding of 8 and of 16 bits, each under its own name and OpenCV's, where it has one."""
    shallow, deep = Encoding(convert, channels), Encoding(_narrow(convert), channels, bits=16)
    cv_names = {f'8{cv}': shallow, f'16{cv}': deep} if cv else {}
    return {f'{name}8': shallow, f'{name}16': deep, **cv_names}


# What OpenCV applies to 4:2:0 and 4:2:2: BT.601, luma from 16 to 235. It has no code for 4:4:4.
_YUV_TO_RGB = np.array([[1.164, 0.0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0.0]])
_YUV_TO_RGB = np.column_stack([_YUV_TO_RGB, -_YUV_TO_RGB @ (16, 128, 128)])


def _from_444(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    yuv = np.dstack([np.maximum(luma, 16), chroma])
    return cv2.transform(yuv, _YUV_TO_RGB)


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
    names = {'uyvy': uyvy, 'yuv422': uyvy, 'yuyv': yuyv, 'yuv422_yuy2': yuyv}
    nv12 = Encoding(_two_planes(cv2.COLOR_YUV2RGB_NV12), halved=(2, 2), shrunk=2)
    nv21 = Encoding(_two_planes(cv2.COLOR_YUV2RGB_NV21), halved=(2, 2), shrunk=2)
    return {**names, 'nv12': nv12, 'nv21': nv21, 'nv24': Encoding(_from_444, shrunk=1)}


ENCODINGS: dict[str, Encoding] = {
    **_with_depths('rgb', '', 3, _same),
    **_with_depths('bgr', 'UC3', 3, _colour(cv2.COLOR_BGR2RGB)),
    **_with_depths('rgba', '', 4, _colour(cv2.COLOR_RGBA2RGB)),
    **_with_depths('bgra', 'UC4', 4, _colour(cv2.COLOR_BGRA2RGB)),
    **_with_depths('mono', '', 1, _colour(cv2.COLOR_GRAY2RGB)),
    '8UC1': Encoding(_colour(cv2.COLOR_GRAY2RGB)),
    **_bayer(),
    **_yuv(),
}
DEPTH = ('16UC1', '32FC1')  # millimetres and metres (REP 118), not shades of grey


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
    known = _known(encoding)
    _check_size(known, encoding, height, width)
    flat = np.frombuffer(data, np.uint8)
    samples = _rows(flat, height, width * known.pixel_bytes, step)
    if known.bits == 16:
        samples = samples.view('>u2' if is_bigendian else '<u2').astype(np.uint16)
    shape = (height, width, known.channels) if known.channels > 1 else (height, width)
    planes = [samples.reshape(shape)]
    if known.shrunk:
        planes.append(_chroma(flat[height * step :], known.shrunk, height, width, step))
    rgb = known.convert(*planes)
    rgb.flags.writeable = False
    return rgb


def _known(encoding: str) -> Encoding:
    if encoding in DEPTH:
        raise ImageError(
            f'{encoding!r} is a depth image; send a colour image, or a grey one as mono8 or mono16'
        )
    if encoding not in ENCODINGS:
        raise ImageError(
            f'image encoding {encoding!r} is not supported; send one of '
            + ', '.join(sorted(ENCODINGS))
        )
    return ENCODINGS[encoding]


def _check_size(known: Encoding, encoding: str, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ImageError(f'the image is empty: {width}x{height} pixels')
    if height % known.halved[0] or width % known.halved[1]:
        raise ImageError(f'{encoding} images have even sides, not {width}x{height} pixels')


def _chroma(flat: np.ndarray, shrunk: int, height: int, width: int, step: int) -> np.ndarray:
    """Pairs of chroma, of which a row has two bytes a pixel, and padding in proportion."""
    height, width = height // shrunk, width // shrunk
    return _rows(flat, height, width * 2, step * 2 // shrunk).reshape(height, width, 2)


def _rows(flat: np.ndarray, rows: int, row_bytes: int, step: int) -> np.ndarray:
    """The bytes of the pixels without the padding of each row, uint8 [rows, row_bytes]."""
    if step < row_bytes:
        raise ImageError(f'step is {step} bytes, but a row of the image takes {row_bytes}')
    if flat.size < rows * step:
        raise ImageError(
            f'the image is truncated: {rows} rows of {step} bytes need {rows * step} bytes, '
            f'data has {flat.size}'
        )
    return flat[: rows * step].reshape(rows, step)[:, :row_bytes]
