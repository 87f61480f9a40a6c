"""The samples in an image file, as they are stored there."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from mobilevlm_ros.engine import png
from mobilevlm_ros.engine.errors import ImageError
from mobilevlm_ros.engine.quiet import quiet_pillow

# Others are not tried: to read EPS, for one, Pillow starts a program.
FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
MOST_PIXELS = 64_000_000  # that a file may unpack to; 192 MB, in a moment twice
_SCALE = f'scale it to {MOST_PIXELS // 1_000_000} million at most'

_SEND = 'send JPEG or PNG, grey or RGB with 8 or 16 unsigned bits'
_TIFF = (b'II*\0', b'MM\0*')

Turn = Callable[[np.ndarray], np.ndarray]


def _as_it_is(pixels: np.ndarray) -> np.ndarray:
    return pixels


_TURNS: dict[object, Turn] = {  # by what EXIF calls Orientation
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
_ORIENTATION = 274
_BITS, _MEANING_OF_ZERO, _PLANES, _KIND = 258, 262, 284, 339  # tags of TIFF
_WHITE, _APART, _UNSIGNED = 0, 2, 1  # values of the last three


@dataclass(frozen=True)
class Samples:
    """What a file holds: its first image, without transparency."""

    array: np.ndarray  # uint8 or uint16, [h, w] grey or [h, w, 3] in the order red, green, blue
    turn: Turn = _as_it_is  # puts it upright

    @property
    def channels(self) -> int:
        """Samples of a pixel, 1 or 3."""
        return 1 if self.array.ndim == 2 else 3

    @property
    def bits(self) -> int:
        """Of each sample, 8 or 16."""
        return self.array.itemsize * 8


def read_samples(data: bytes) -> Samples:
    """Read an image file of one of FORMATS.

    Raises:
        ImageError: saying what the file is or has: `is empty`.
    """
    if not data:
        raise ImageError('is empty: no bytes where a JPEG or PNG was expected')
    try:
        if data.startswith(png.SIGNATURE):
            data = png.without_metadata(data)
        with quiet_pillow(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size)
            _check_range(image)
            return _deep_colour(image, data) if _has_deep_colour(image) else _samples(image)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        kind = 'a TIFF' if data.startswith(_TIFF) else 'an image'
        raise ImageError(f'is not {kind} of a kind that can be read; {_SEND}') from error
    except Image.DecompressionBombError as error:
        raise ImageError(f'has too many pixels; {_SCALE}') from error
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        reason = str(error) or type(error).__name__
        raise ImageError(f'cannot be decoded ({reason}); send it again, whole') from error


def _check_size(width: int, height: int) -> None:
    """Raise before memory is taken: a few bytes can say that they are gigabytes of pixels."""
    if width * height > MOST_PIXELS:
        raise ImageError(f'has {width} x {height} pixels; {_SCALE}')


def _check_range(image: ImageFile.ImageFile) -> None:
    """Raise if nobody can tell which value is white."""
    tags = getattr(image, 'tag_v2', {})  # of TIFF
    signed_or_float = {*tags.get(_KIND, ())} - {_UNSIGNED}
    if signed_or_float or image.mode == 'F' or (image.mode == 'I' and image.format == 'TIFF'):
        raise ImageError(
            'has samples that are signed, floating-point or of 32 bits, so that nobody can tell '
            f'which value is white; {_SEND}'
        )
    bits, apart = max(tags.get(_BITS, (8,))), tags.get(_PLANES) == _APART
    if bits > 8 and (apart or ';16' not in _layout(image)):
        raise ImageError(f'has {bits} bits a sample in a layout that is not known; {_SEND}')


def _layout(image: ImageFile.ImageFile) -> str:
    """How Pillow calls the samples in the file, such as `RGB;16B`."""
    arguments = image.tile[0][3] if image.tile else ''
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _has_deep_colour(image: ImageFile.ImageFile) -> bool:
    """Whether it has colours of 16 bits, of which Pillow keeps the upper eight."""
    return image.format == 'PNG' and not image.mode.startswith('I') and ';16' in _layout(image)


def _deep_colour(image: ImageFile.ImageFile, png_file: bytes) -> Samples:
    image.load()  # OpenCV is silent about a file that is cut
    bgr = cv2.imdecode(np.frombuffer(png_file, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgr is None:
        raise ImageError('has colours of 16 bits that cannot be decoded; send it with 8')
    code = cv2.COLOR_BGRA2RGB if bgr.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return Samples(cv2.cvtColor(bgr, code), _turn(image))


def _samples(image: ImageFile.ImageFile) -> Samples:
    if not isinstance(image.info.get('xmp'), bytes):  # of a TIFF it may be anything
        image.info.pop('xmp', None)
    image.load()
    if image.mode.startswith('I'):
        grey = np.asarray(image).astype(np.uint16)
        tags = getattr(image, 'tag_v2', {})
        negative = tags.get(_MEANING_OF_ZERO) == _WHITE
        return Samples(~grey if negative else grey, _turn(image))
    mode = 'L' if image.mode in ('1', 'L', 'LA') else 'RGB'
    plain = image if image.mode == mode else image.convert(mode)
    return Samples(np.asarray(plain), _turn(image))


def _turn(image: ImageFile.ImageFile) -> Turn:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION), _as_it_is)
    except Exception:  # Pillow's reader of EXIF raises whatever it stumbles over
        return _as_it_is  # damaged metadata say nothing of the pixels
