"""Image files and bytes to pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobilevlm_ros.engine.encodings import encoding_for
from mobilevlm_ros.engine.errors import ConfigError, ImageError
from mobilevlm_ros.engine.formats import file_encoding, stored_encoding
from mobilevlm_ros.engine.paths import user_path
from mobilevlm_ros.engine.samples import MOST_PIXELS, read_samples
from mobilevlm_ros.engine.types import Pixels

SUFFIXES = frozenset(
    {'.bmp', '.jpeg', '.jpg', '.pbm', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff', '.webp'}
)
MOST_BYTES = 8 * MOST_PIXELS  # of a file: RGBA of 16 bits, not compressed


def is_image_path(path: Path) -> bool:
    """Whether this is an image file, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def image_paths(folder: Path | str) -> list[Path]:
    """The image files of a folder, by their suffixes, in the order of their names.

    Raises:
        ConfigError: if it is no folder, cannot be read, or has none.
    """
    try:
        paths = sorted(p for p in user_path(folder).iterdir() if is_image_path(p))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f'{folder} is not a folder; give one with images') from error
    except OSError as error:
        raise ConfigError(f'{folder} cannot be read: {error.strerror}; check the path') from error
    if not paths:
        raise ConfigError(f'{folder} has no images; looked for {", ".join(sorted(SUFFIXES))}')
    return paths


def read_image(path: Path | str) -> Pixels:
    """Read an image file as uint8 RGB (height, width, 3), turned as its EXIF data says.

    Raises:
        ImageError: if it cannot be read, or is not an image; see `decode_image`.
    """
    try:
        with user_path(path).open('rb') as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ConfigError) as error:
        reason = getattr(error, 'strerror', error)
        raise ImageError(f'{path} cannot be read: {reason}; check the path') from error
    if len(data) > MOST_BYTES:
        raise ImageError(f'{path} has more than {MOST_BYTES} bytes; scale the image down')
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str = 'the image', format: str = '') -> Pixels:
    """Decode JPEG, PNG, BMP, GIF, PPM, TIFF or WebP to uint8 RGB (height, width, 3).

    It is the first image of a file with several, without transparency, turned as its EXIF data
    says. Samples of 16 bits are scaled to 8.

    Args:
        data: the whole file.
        name: what errors call it.
        format: of a sensor_msgs/CompressedImage; empty: what the samples mean is in the file.

    Raises:
        ImageError: if it is not such a file, or damaged, has more than MOST_PIXELS, samples of
            unknown range, or is a depth image or of an unknown encoding by its format.
    """
    stored = stored_encoding(format)
    try:
        samples = read_samples(data)
    except ImageError as error:
        raise ImageError(f'{name} {error}') from error
    height, width = samples.array.shape[:2]
    encoding = file_encoding(stored, samples.channels, samples.bits)
    rgb = encoding_for(encoding, height, width).rgb(samples.array)
    return np.ascontiguousarray(samples.turn(rgb))
