from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.preprocess import Preprocessor, padding_colour, preprocess

CLIP = VisionSpec(
    image_size=336,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    visual_tokens=144,
    width=2048,
)


CROPPED = replace(CLIP, resize='crop')


def official(pixels: np.ndarray, vision: VisionSpec) -> np.ndarray:
    """MobileVLM's process_images with CLIP's image processor, step by step."""
    image, size = Image.fromarray(pixels), vision.image_size
    if vision.resize == 'pad':
        side = max(image.size)
        background = tuple(int(value * 255) for value in vision.mean)
        square = Image.new('RGB', (side, side), background)
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        resized = square.resize((size, size), resample=3)
    else:
        short = min(image.size)
        width, height = (int(size * side / short) for side in image.size)
        left, top = (width - size) // 2, (height - size) // 2
        columns = image.resize((width, image.height), resample=3)  # always first before Pillow 13
        whole = columns.resize((width, height), resample=3)
        resized = whole.crop((left, top, left + size, top + size))
    values = np.asarray(resized).astype(np.float64) * (1 / 255)
    return ((values - vision.mean) / vision.std).transpose(2, 0, 1).astype(np.float32)


def grey_levels(pixels: np.ndarray, vision: VisionSpec = CLIP) -> np.ndarray:
    """How far our pixels lie from the official ones."""
    difference = np.abs(preprocess(pixels, vision) - official(pixels, vision))
    return difference * 255 * np.array(vision.std)[:, None, None]


def photo(height: int, width: int) -> np.ndarray:
    """Smooth shading with sharp edges and noise, as cameras see."""
    random = np.random.default_rng(height * width)
    y, x = np.mgrid[:height, :width]
    shades = np.stack([x * 255 / width, y * 255 / height, (x + y) % 256], axis=2)
    shades[height // 3 : height // 2, width // 4 : width // 2] = (200, 30, 30)
    return np.clip(shades + random.normal(0, 5, shades.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    'shape',
    [(480, 640), (640, 480), (1080, 1920), (336, 336), (101, 336), (7, 5), (1, 300), (1, 1)],
)
@pytest.mark.parametrize('vision', [CLIP, CROPPED], ids=['pad', 'crop'])
def test_pixels_match_the_official_code(shape: tuple[int, int], vision: VisionSpec) -> None:
    levels = grey_levels(photo(*shape), vision)
    assert levels.max() < 1.01 and (levels > 0.01).mean() < 0.001


@pytest.mark.parametrize(
    'shape', [(20, 4000), (4000, 20), (672, 600), (1080, 1920), (1024, 3), (2, 1), (512, 512)]
)
@pytest.mark.parametrize('levels', [2, 256])
@pytest.mark.parametrize('vision', [CLIP, CROPPED], ids=['pad', 'crop'])
def test_noise_and_sharp_edges_match_within_one_grey_level(
    shape: tuple[int, int], levels: int, vision: VisionSpec
) -> None:
    random = np.random.default_rng(1)
    pixels = (random.integers(0, levels, (*shape, 3)) * (255 // (levels - 1))).astype(np.uint8)
    assert grey_levels(pixels, vision).max() < 1.01


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 700), st.integers(1, 700)),
    size=st.integers(1, 100),
    mean=st.tuples(*[st.floats(0, 1)] * 3),
    seed=st.integers(0, 1 << 32),
    resize=st.sampled_from(['pad', 'crop']),
)
def test_any_shape_size_and_colour_match_within_one_grey_level(
    shape: tuple[int, int], size: int, mean: tuple[float, float, float], seed: int, resize: str
) -> None:
    vision = VisionSpec(size, mean, CLIP.std, 1, 1, resize)
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    assert grey_levels(noise, vision).max() < 1.01


def test_the_padding_has_the_mean_colour_cut_to_whole_grey_levels() -> None:
    np.testing.assert_array_equal(padding_colour(CLIP.mean), [122, 116, 104])
    found = preprocess(np.zeros((2, 50, 3), np.uint8), CLIP)
    expected = (np.array([122, 116, 104]) / 255 - CLIP.mean) / np.array(CLIP.std)
    np.testing.assert_allclose(found[:, 0], expected[:, None].repeat(336, 1), atol=1e-6)


def test_a_model_that_crops_sees_nothing_of_the_sides() -> None:
    pixels = photo(40, 100)
    pixels[:, 30:70] = 77
    found = preprocess(pixels, replace(CROPPED, image_size=20))
    expected = (77 / 255 - np.array(CLIP.mean)) / np.array(CLIP.std)
    np.testing.assert_allclose(found[:, 5:-5, 5:-5].mean((1, 2)), expected, atol=1e-6)


def test_the_result_goes_into_the_buffer_that_is_given() -> None:
    buffer = np.full((3, 336, 336), np.nan, np.float32)
    assert preprocess(photo(20, 30), CLIP, out=buffer) is buffer
    assert np.isfinite(buffer).all()


def test_images_of_several_shapes_do_not_touch_each_other() -> None:
    preprocessor = Preprocessor(CLIP)
    images = [photo(40 + 10 * i, 70) for i in range(6)] + [photo(60, 70)[..., ::-1]]
    for pixels in images + images[::-1]:
        np.testing.assert_array_equal(preprocessor(pixels), preprocess(pixels.copy(), CLIP))


@pytest.mark.parametrize(
    'view',
    [
        np.s_[::2, 10:50, ::-1],
        np.s_[:, :, ::-1],
        np.s_[5:40, 10:70],
        np.s_[::-1],
        np.s_[:, ::-1],
        np.s_[:, ::3],
        np.s_[:1, :1],
    ],
)
@pytest.mark.parametrize('vision', [CLIP, CROPPED], ids=['pad', 'crop'])
def test_a_view_of_a_larger_image_gives_the_same_as_its_copy(
    view: tuple[slice, ...], vision: VisionSpec
) -> None:
    pixels = photo(60, 80)[view]
    np.testing.assert_array_equal(preprocess(pixels, vision), preprocess(pixels.copy(), vision))
