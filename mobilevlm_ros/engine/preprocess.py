"""Pixels to the vision encoder's input, as MobileVLM's own code does it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.types import Floats, Pixels


def preprocess(pixels: Pixels, vision: VisionSpec, out: Floats | None = None) -> Floats:
    """Pad to a square with the mean colour, resize, normalise.

    Args:
        pixels: uint8 RGB (height, width, 3).
        vision: image size, mean and standard deviation.
        out: float32 (3, size, size) to write to, so that a stream of frames allocates nothing.

    Returns:
        float32 (3, size, size), RGB: `out` if it was given.
    """
    size = vision.image_size
    image = Image.fromarray(pad_to_square(pixels, vision.mean))
    resized = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    out = np.empty((3, size, size), np.float32) if out is None else out
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (vision.mean, vision.std))
    np.multiply(resized.transpose(2, 0, 1), 1 / (255 * std), out=out)
    np.subtract(out, mean / std, out=out)
    return out


def pad_to_square(pixels: Pixels, mean: tuple[float, float, float]) -> Pixels:
    """The image in the middle of a square of the mean colour, as large as its longer side."""
    height, width = pixels.shape[:2]
    if height == width:
        return pixels
    side = max(height, width)
    colour = np.array([int(value * 255) for value in mean], np.uint8)
    square = np.empty((side, side, 3), np.uint8)
    square.reshape(side, -1)[:] = np.tile(colour, side)  # whole rows at a time are fast
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square
