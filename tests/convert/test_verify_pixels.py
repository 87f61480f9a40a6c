"""Preprocessing against MobileVLM's process on real photographs, with CLIP's own processor."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from mobilevlm_ros.convert.beside import CLIP_PIXELS
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.convert.verify_pixels import official_pixels
from mobilevlm_ros.engine.bundle import RESIZES, VisionSpec
from mobilevlm_ros.engine.images import read_image
from mobilevlm_ros.engine.preprocess import preprocess

SIZE = 336
GREY_LEVEL = 1 / 255 / np.array(CLIP_PIXELS['std'])[:, None, None]
# Square, wide, high, small, with alpha; all of them ship in scikit-image's wheel.
PHOTOS = ['astronaut.png', 'chelsea.png', 'coffee.png', 'rocket.jpg', 'retina.jpg', 'camera.png']


def official_processor(pixels: np.ndarray, resize: str = 'pad') -> np.ndarray:
    """process_images of mobilevlm/utils.py, with CLIPImageProcessor as CLIP-L/14-336 sets it."""
    image = Image.fromarray(pixels)
    if resize == 'pad':
        side = max(image.size)
        square = Image.new('RGB', (side, side), tuple(int(v * 255) for v in CLIP_PIXELS['mean']))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        image = square
    processor = CLIPImageProcessorPil(
        size={'shortest_edge': SIZE},
        crop_size={'height': SIZE, 'width': SIZE},
        resample=Image.Resampling.BICUBIC,
        image_mean=CLIP_PIXELS['mean'],
        image_std=CLIP_PIXELS['std'],
    )
    return np.asarray(processor(image, return_tensors='np')['pixel_values'][0])


@pytest.fixture
def at_336(source: Source) -> Source:
    """A source of CLIP's own size and colours."""
    geometry = replace(source.geometry, image_size=SIZE)
    return replace(source, geometry=geometry, preprocessing=CLIP_PIXELS)


@pytest.mark.parametrize('resize', RESIZES)
@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('name', PHOTOS)
def test_photographs_become_what_clip_s_processor_makes_of_them(
    name: str, turned: bool, resize: str, at_336: Source
) -> None:
    pixels = read_image(Path(skimage.__file__).parent / 'data' / name)
    pixels = np.rot90(pixels).copy() if turned else pixels
    check(pixels, resize, at_336)


@pytest.mark.parametrize('resize', RESIZES)
@pytest.mark.parametrize(
    'shape', [(480, 640), (1080, 1920), (335, 337), (337, 336), (100, 1000), (999, 333), (1, 7)]
)
def test_any_shape_becomes_what_clip_s_processor_makes_of_it(
    shape: tuple[int, int], resize: str, at_336: Source
) -> None:
    pixels = np.random.default_rng(shape[0]).integers(0, 256, (*shape, 3), np.uint8)
    check(pixels, resize, at_336)


def check(pixels: np.ndarray, resize: str, source: Source) -> None:
    """Compare engine and `mobilevlm verify` with transformers."""
    expected = official_processor(pixels, resize)
    colours = (*CLIP_PIXELS['mean'],), (*CLIP_PIXELS['std'],)
    vision = VisionSpec(SIZE, *colours, 144, 2048, resize)
    official = official_pixels(pixels, replace(source, resize=resize))
    for found in (preprocess(pixels, vision), official):
        assert found.shape == expected.shape
        levels = np.abs(found - expected) / GREY_LEVEL
        assert levels.max() < 1.01 and (levels > 0.01).mean() < 0.001


def test_another_padding_would_be_noticed(at_336: Source) -> None:
    pixels = read_image(Path(skimage.__file__).parent / 'data' / 'chelsea.png')
    side = max(pixels.shape)
    shifted = np.empty((side, side, 3), np.uint8)
    shifted[:] = (122, 114, 102)  # one grey level off in one channel, two in another
    top = (side - len(pixels)) // 2
    shifted[top : top + len(pixels)] = pixels
    difference = np.abs(official_pixels(shifted, at_336) - official_processor(pixels))
    assert (difference / GREY_LEVEL).max() > 0.9
