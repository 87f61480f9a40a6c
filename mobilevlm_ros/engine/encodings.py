"""What pixels an image has by its encoding, whichever way it came.

Encodings are the names of sensor_msgs/image_encodings. Each gives the RGB that cv_bridge gives,
where cv_bridge converts it at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mobilevlm_ros.engine.errors import ImageError
from mobilevlm_ros.engine.types import Pixels

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
    least: int = 1  # pixels that each side must have
    shrunk: int = 0  # by how much each side of a second plane, of chroma, is smaller; 0: none

    @property
    def pixel_bytes(self) -> int:
        """Bytes that a pixel takes in a row."""
        return self.channels * self.bits // 8

    def rgb(self, *planes: np.ndarray) -> Pixels:
        """RGB uint8 [h, w, 3] of samples, read-only; those of rgb8 are not copied."""
        rgb = self.convert(*planes)
        rgb.flags.writeable = False
        return rgb


def _colour(code: int) -> Convert:
    return lambda samples: cv2.cvtColor(samples, code)


def _two_planes(code: int) -> Convert:
    return lambda luma, chroma: cv2.cvtColorTwoPlane(luma, chroma, code)


def _narrow(samples: np.ndarray) -> np.ndarray:
    """Sixteen bits to eight, white to white: a 257th, rounded."""
    return cv2.convertScaleAbs(samples, alpha=255 / 65535)


def _same(samples: np.ndarray) -> np.ndarray:
    return samples


def _with_depths(name: str, cv: str, channels: int, convert: Convert) -> dict[str, Encoding]:
    """An encoding of 8 and of 16 bits, each under its own name and OpenCV's, where it has one."""
    shallow = Encoding(convert, channels)
    deep = Encoding(lambda samples: convert(_narrow(samples)), channels, bits=16)
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
_LEAST_MOSAIC = 3  # pixels a side; of smaller ones OpenCV makes black


def _bayer() -> dict[str, Encoding]:
    found = {}
    for pattern, code in _BAYER.items():
        shallow = _colour(code)
        found[f'bayer_{pattern}8'] = Encoding(shallow, least=_LEAST_MOSAIC)
        found[f'bayer_{pattern}16'] = Encoding(_then_narrow(shallow), bits=16, least=_LEAST_MOSAIC)
    return found


def _then_narrow(convert: Convert) -> Convert:
    return lambda samples: _narrow(convert(samples))


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
_OPENCV = re.compile(r'(8|16|32|64)[USF]C\d+')


def is_encoding(name: str) -> bool:
    """Whether this names an encoding at all, be it one that is refused."""
    return name in ENCODINGS or _OPENCV.fullmatch(name) is not None


def find_encoding(name: str) -> Encoding:
    """What is known of an encoding.

    Raises:
        ImageError: if it is of depth, or not known.
    """
    if name in DEPTH:
        raise depth_error(name)
    if name not in ENCODINGS:
        raise ImageError(
            f'image encoding {name[:60]!r} is not supported; send one of '
            + ', '.join(sorted(ENCODINGS))
        )
    return ENCODINGS[name]


def depth_error(name: str) -> ImageError:
    """What is said of a depth image, whichever way it came."""
    return ImageError(
        f'{name!r} is a depth image; send a colour image, or a grey one as mono8 or mono16'
    )


def encoding_for(name: str, height: int, width: int) -> Encoding:
    """What is known of an encoding, for an image of these sides in pixels.

    Raises:
        ImageError: if it is of depth, not known, or an image of it cannot have these sides.
    """
    found, sides = find_encoding(name), f'{width} x {height} pixels'
    if height < 1 or width < 1:
        raise ImageError(f'the {name} image is empty: {sides}')
    if min(height, width) < found.least:
        raise ImageError(f'{name} images have {found.least} pixels a side or more, not {sides}')
    if height % found.halved[0] or width % found.halved[1]:
        even = 'even sides' if found.halved[0] > 1 else 'an even width'
        raise ImageError(f'{name} images have {even}, not {sides}')
    return found
