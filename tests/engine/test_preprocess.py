import numpy as np
import pytest
from PIL import Image

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.preprocess import pad_to_square, preprocess

CLIP = VisionSpec(
    image_size=336,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    visual_tokens=144,
    width=2048,
)


def official(pixels: np.ndarray, vision: VisionSpec) -> np.ndarray:
    """MobileVLM's process_images with CLIP's image processor, step by step."""
    image = Image.fromarray(pixels)
    width, height = image.size
    background = tuple(int(value * 255) for value in vision.mean)
    side = max(width, height)
    square = Image.new('RGB', (side, side), background)
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    resized = square.resize((vision.image_size,) * 2, resample=3)
    values = np.asarray(resized).astype(np.float64) * (1 / 255)
    return ((values - vision.mean) / vision.std).transpose(2, 0, 1).astype(np.float32)


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
def test_pixels_match_the_official_code(shape: tuple[int, int]) -> None:
    pixels = photo(*shape)
    difference = np.abs(preprocess(pixels, CLIP) - official(pixels, CLIP)).max()
    grey_level = 1 / 255 / max(CLIP.std)
    assert difference < 0.01 * grey_level


def test_the_padding_has_the_mean_colour_cut_to_whole_grey_levels() -> None:
    square = pad_to_square(np.zeros((2, 5, 3), np.uint8), CLIP.mean)
    assert square.shape == (5, 5, 3)
    np.testing.assert_array_equal(square[0, 0], [122, 116, 104])
    np.testing.assert_array_equal(square[1:3], 0)
    np.testing.assert_array_equal(square[3:], square[:1].repeat(2, axis=0))


def test_a_square_image_is_not_copied_to_be_padded() -> None:
    pixels = photo(8, 8)
    assert pad_to_square(pixels, CLIP.mean) is pixels


def test_the_result_goes_into_the_buffer_that_is_given() -> None:
    buffer = np.full((3, 336, 336), np.nan, np.float32)
    assert preprocess(photo(20, 30), CLIP, out=buffer) is buffer
    assert np.isfinite(buffer).all()


def test_a_view_of_a_larger_image_gives_the_same_as_its_copy() -> None:
    view = photo(60, 80)[::2, 10:50, ::-1]
    np.testing.assert_array_equal(preprocess(view, CLIP), preprocess(view.copy(), CLIP))
