"""Preprocessing against MobileVLM's process on real photographs, with CLIP's own processor."""

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from mobilevlm_ros.convert.source import CLIP_PIXELS
from mobilevlm_ros.convert.verify_pixels import official_pixels
from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.images import read_image
from mobilevlm_ros.engine.preprocess import preprocess

SIZE = 336
GREY_LEVEL = 1 / 255 / np.array(CLIP_PIXELS['std'])[:, None, None]
# Square, wide, high, small, with alpha; all of them ship in scikit-image's wheel.
PHOTOS = ['astronaut.png', 'chelsea.png', 'coffee.png', 'rocket.jpg', 'retina.jpg', 'camera.png']


def official_processor(pixels: np.ndarray) -> np.ndarray:
    """expand2square as in mobilevlm/utils.py, then CLIPImageProcessor as CLIP-L/14-336 sets it."""
    image = Image.fromarray(pixels)
    side = max(image.size)
    square = Image.new('RGB', (side, side), tuple(int(v * 255) for v in CLIP_PIXELS['mean']))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    processor = CLIPImageProcessorPil(
        size={'shortest_edge': SIZE},
        crop_size={'height': SIZE, 'width': SIZE},
        resample=Image.Resampling.BICUBIC,
        image_mean=CLIP_PIXELS['mean'],
        image_std=CLIP_PIXELS['std'],
    )
    return np.asarray(processor(square, return_tensors='np')['pixel_values'][0])


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('name', PHOTOS)
def test_photographs_become_what_clip_s_processor_makes_of_them(name: str, turned: bool) -> None:
    pixels = read_image(Path(skimage.__file__).parent / 'data' / name)
    pixels = np.rot90(pixels).copy() if turned else pixels
    expected = official_processor(pixels)
    vision = VisionSpec(SIZE, (*CLIP_PIXELS['mean'],), (*CLIP_PIXELS['std'],), 144, 2048)
    for found, most in (
        (preprocess(pixels, vision), 1.01),
        (official_pixels(pixels, SIZE, CLIP_PIXELS), 0.01),
    ):
        assert found.shape == expected.shape
        levels = np.abs(found - expected) / GREY_LEVEL
        assert levels.max() < most and levels.mean() < 0.01


def test_another_padding_would_be_noticed() -> None:
    pixels = read_image(Path(skimage.__file__).parent / 'data' / 'chelsea.png')
    side = max(pixels.shape)
    shifted = np.empty((side, side, 3), np.uint8)
    shifted[:] = (122, 114, 102)  # one grey level off in one channel, two in another
    top = (side - len(pixels)) // 2
    shifted[top : top + len(pixels)] = pixels
    difference = np.abs(official_pixels(shifted, SIZE, CLIP_PIXELS) - official_processor(pixels))
    assert (difference / GREY_LEVEL).max() > 0.9
