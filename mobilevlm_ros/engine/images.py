"""Image files and bytes to pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mobilevlm_ros.engine.errors import ConfigError, ImageError
from mobilevlm_ros.engine.types import Pixels

SUFFIXES = frozenset({'.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp'})
# Others are not tried: to read EPS, for one, Pillow starts a program.
FORMATS = ('BMP', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
MOST_PIXELS = 64_000_000  # that a file may unpack to; 192 MB, in a moment twice


def image_paths(folder: Path | str) -> list[Path]:
    """The image files of a folder, by their suffixes, in the order of their names.

    Raises:
        ConfigError: if it is no folder, cannot be read, or has none.
    """
    try:
        paths = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f'{folder} is not a folder; give one with images') from error
    except OSError as error:
        raise ConfigError(f'{folder} cannot be read: {error.strerror}; check the path') from error
    if not paths:
        raise ConfigError(f'{folder} has no images; looked for {", ".join(sorted(SUFFIXES))}')
    return paths


def read_image(path: Path | str) -> Pixels:
    """Read an image file as uint8 RGB (height, width, 3), turned as its EXIF data says."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(f'{path} cannot be read: {error.strerror}; check the path') from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str = 'the image') -> Pixels:
    """Decode JPEG, PNG or another of FORMATS to uint8 RGB (height, width, 3)."""
    if not data:
        raise ImageError(f'{name} is empty: no bytes where a JPEG or PNG was expected')
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, name)
            image.verify()  # checksums, which load() ignores
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.load()
            return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f'{name} is not an image that can be read; send JPEG or PNG') from error
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ImageError(f'{name} cannot be decoded: {error}; send it again, whole') from error


def _check_size(image: Image.Image, name: str) -> None:
    """Raise before memory is taken: a few bytes can say that they are gigabytes of pixels."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageError(
            f'{name} has {width} x {height} pixels; scale it to {MOST_PIXELS // 1_000_000} '
            'million at most'
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):  # 16 bits a pixel, which convert() would clip instead of scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    return image.convert('RGB')
