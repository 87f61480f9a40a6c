"""Proof of preprocessing: the engine's pixels against the official code's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.convert.verify_report import Measure, Row
from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.images import image_paths, read_image
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.types import Floats, Pixels

GREY_LEVELS = 1.0  # most that a pixel may differ by
BICUBIC = 3  # Pillow's number for it, as CLIP's preprocessor_config.json has it


@dataclass(frozen=True)
class Photo:
    """An image and what the official code makes of it."""

    name: str
    pixels: Pixels  # uint8 RGB (height, width, 3)
    official: Floats  # float32 (3, size, size)


def read_photos(folder: Path, source: Source) -> list[Photo]:
    """All images of a folder, by name.

    Raises:
        ConfigError: if the folder has none.
        ImageError: if one cannot be decoded.
    """
    size, colours = source.geometry.image_size, source.preprocessing
    images = ((path.name, read_image(path)) for path in image_paths(folder))
    return [Photo(name, image, official_pixels(image, size, colours)) for name, image in images]


def official_pixels(
    pixels: Pixels, size: int, preprocessing: Mapping[str, Sequence[float]]
) -> Floats:
    """What MobileVLM's process_images and CLIP's image processor do, step by step.

    Meituan-AutoML/MobileVLM, mobilevlm/utils.py: the image pasted into the middle of a square of
    the mean colour; then CLIPImageProcessor: bicubic resize, scale by 1/255, mean and std.

    Args:
        pixels: uint8 RGB (height, width, 3).
        size: side of the result.
        preprocessing: mean and std of RGB in [0, 1].

    Returns:
        float32 (3, size, size).
    """
    image = Image.fromarray(pixels)
    width, height = image.size
    side = max(width, height)
    mean, std = preprocessing['mean'], preprocessing['std']
    square = Image.new('RGB', (side, side), tuple(int(value * 255) for value in mean))
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    resized = square.resize((size, size), resample=BICUBIC)
    values = np.asarray(resized).astype(np.float64) * (1 / 255)
    return ((values - mean) / std).transpose(2, 0, 1).astype(np.float32)


def verify_pixels(vision: VisionSpec, source: Source, photos: Sequence[Photo]) -> Row:
    """Compare every value of every photo, in grey levels of the source's normalisation."""
    scale = 255 * np.array(source.preprocessing['std'], np.float32)[:, None, None]
    worst, where = 0.0, ''
    for photo in photos:
        differences = np.abs(preprocess(photo.pixels, vision) - photo.official) * scale
        channel, y, x = np.unravel_index(differences.argmax(), differences.shape)
        if not differences[channel, y, x] <= worst:
            worst = float(differences[channel, y, x])
            where = f'worst at {photo.name}, channel {channel}, row {y}, column {x}'
    return Row(
        'preprocessing',
        'engine, official steps in Pillow',
        f'{len(photos)} images, {sum(p.official.size for p in photos)} values',
        # float32 cannot tell a whole grey level from a little more
        (Measure('grey levels', round(worst, 3), most=GREY_LEVELS),),
        where,
    )
