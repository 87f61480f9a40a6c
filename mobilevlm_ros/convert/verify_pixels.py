"""Proof of preprocessing: the engine's pixels against the official code's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobilevlm_ros.convert.beside import BICUBIC
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.convert.verify_report import Measure, Row
from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.images import image_paths, read_image
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.types import Floats, Pixels

GREY_LEVELS = 1.0  # most that a pixel may differ by


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
    images = ((path.name, read_image(path)) for path in image_paths(folder))
    return [Photo(name, image, official_pixels(image, source)) for name, image in images]


def official_pixels(pixels: Pixels, source: Source) -> Floats:
    """What MobileVLM's process_images and CLIP's image processor do, step by step.

    Meituan-AutoML/MobileVLM, mobilevlm/utils.py: with image_aspect_ratio `pad` the image is pasted
    into the middle of a square of the mean colour; then CLIPImageProcessor: bicubic resize of the
    shortest side, the middle of the other, scale by 1/255, mean and std.

    Args:
        pixels: uint8 RGB (height, width, 3).
        source: its image size, mean and std, and whether it pads.

    Returns:
        float32 (3, size, size).
    """
    size = source.geometry.image_size
    mean, std = source.preprocessing['mean'], source.preprocessing['std']
    image = Image.fromarray(pixels)
    if source.resize == 'pad':
        image = _squared(image, tuple(int(value * 255) for value in mean))
    width, height = (int(size * side / min(image.size)) for side in image.size)
    # Columns first, as every release of Pillow did before 13, which begins with the rows of some
    # images that are more than twice as high as wide.
    columns = image.resize((width, image.height), resample=BICUBIC)
    resized = columns.resize((width, height), resample=BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    cropped = np.asarray(resized)[top : top + size, left : left + size]
    values = cropped.astype(np.float64) * (1 / 255)
    return ((values - mean) / std).transpose(2, 0, 1).astype(np.float32)


def _squared(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    side = max(image.size)
    square = Image.new('RGB', (side, side), colour)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


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
