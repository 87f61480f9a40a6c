"""Image files under the formats that image_transport and cameras give them."""

import cv2
import numpy as np
import pytest

from mobilevlm_ros.engine import ENCODINGS, ImageError, decode_image

RGB = np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8)
DEEP = RGB.astype(np.uint16) * 257


def file(image: np.ndarray, suffix: str = '.png') -> bytes:
    """What cv::imencode makes of an image, whose channels it takes for BGR."""
    return bytes(cv2.imencode(suffix, image)[1])


def grey(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2)


# As compressed_image_transport's publisher writes them: what it hands to imencode is of the
# encoding behind `compressed`, or of the first where that is missing.
@pytest.mark.parametrize('format, given', [
    ('rgb8; png compressed bgr8', RGB[..., ::-1]),
    ('bgr8; png compressed bgr8', RGB[..., ::-1]),
    ('rgba8; png compressed bgr8', RGB[..., ::-1]),
    ('rgb16; png compressed bgr16', DEEP[..., ::-1]),
    ('bgra16; png compressed bgr16', DEEP[..., ::-1]),
    ('yuv422_yuy2; png compressed bgr8', RGB[..., ::-1]),
    ('8UC3; png compressed ', RGB[..., ::-1]),
    ('rgb8; tiff compressed ', RGB),
    ('bgr8; tiff compressed ', RGB[..., ::-1]),
    ('rgba8; tiff compressed ', np.dstack([RGB, RGB[..., 0]])),
    ('rgb16; tiff compressed ', DEEP),
    ('rgb8; png compressed rgb8', RGB),
])  # fmt: skip
def test_colours_are_those_that_were_published(format: str, given: np.ndarray) -> None:
    suffix = '.tiff' if 'tiff' in format else '.png'
    np.testing.assert_array_equal(decode_image(file(given, suffix), format=format), RGB)


@pytest.mark.parametrize('format, given', [
    ('mono8; png compressed ', RGB[..., 0]),
    ('mono16; png compressed ', DEEP[..., 0]),
    ('8UC1; png compressed ', RGB[..., 0]),
    ('mono16; tiff compressed ', DEEP[..., 0]),
    ('mono16', DEEP[..., 0]),
    ('bayer_rggb8; png compressed mono8', RGB[..., 0]),  # the publisher has lost the colour
    ('png', RGB[..., 0]),
])  # fmt: skip
def test_greys_are_those_that_were_published(format: str, given: np.ndarray) -> None:
    suffix = '.tiff' if 'tiff' in format else '.png'
    found = decode_image(file(given, suffix), format=format)
    np.testing.assert_array_equal(found, grey(RGB[..., 0]))


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_a_mosaic_gets_its_colours(pattern: str, bits: int) -> None:
    name = f'bayer_{pattern}{bits}'
    mosaic = RGB[..., 1] if bits == 8 else DEEP[..., 1]
    expected = ENCODINGS[name].rgb(mosaic)
    for suffix, codec in (('.png', 'png'), ('.tiff', 'tiff')):
        found = decode_image(file(mosaic, suffix), format=f'{name}; {codec} compressed ')
        np.testing.assert_array_equal(found, expected)
        assert np.ptp(found.astype(int), axis=2).max() > 50


@pytest.mark.parametrize('bits', [8, 16])
def test_a_mosaic_in_a_jpeg_gets_its_colours(bits: int) -> None:
    pattern = np.array([[200, 100], [100, 50]], np.uint8)  # red, green; green, blue
    data = file(np.tile(pattern, (8, 8)), '.jpg')
    found = decode_image(data, format=f'bayer_rggb{bits}; jpeg compressed ')
    assert np.abs(found.astype(int) - (200, 100, 50)).max() < 10


@pytest.mark.parametrize('format', [
    '', 'jpeg', 'jpg', 'png', 'PNG', 'JPEG', 'image/png', 'webp', 'nonsense', '☃', ' ', '\0',
    'x' * 5000, 'rgb8; png compressed bgr8', 'rgb8;png compressed bgr8', 'bgr8', 'rgb8',
    'rgba8', 'bgr8; jpeg',
])  # fmt: skip
def test_a_format_that_says_no_more_than_the_file_leaves_its_colours(format: str) -> None:
    np.testing.assert_array_equal(decode_image(file(RGB[..., ::-1]), format=format), RGB)


@pytest.mark.parametrize('format', [
    '16UC1; png compressed ', '16UC1; jpeg compressed mono8', '16UC1; tiff compressed ', '16UC1',
    '32FC1; tiff compressed ', '32FC1', 'mono16; png compressed 16UC1',
    '16UC1; compressedDepth', '16UC1; compressedDepth png', '32FC1; compressedDepth rvl',
    'mono16; compressedDepth png', 'compressedDepth', 'COMPRESSEDDEPTH', 'rvl',
])  # fmt: skip
@pytest.mark.parametrize('given', [DEEP[..., 0], RGB[..., 0], RGB], ids=['16', '8', 'colour'])
def test_depth_is_refused_whatever_the_file_holds(format: str, given: np.ndarray) -> None:
    with pytest.raises(ImageError, match='depth image; send a colour image, or a grey one'):
        decode_image(file(given), format=format)


@pytest.mark.parametrize('format', [
    'RGB8; png compressed BGR8', '32SC1; tiff compressed ', '64FC1', '8UC2', 'yuv444; jpeg',
    '; jpeg compressed bgr8', 'nonsense; png compressed bgr8', 'rgb8; png compressed nonsense',
])  # fmt: skip
def test_an_encoding_that_is_not_known_is_refused_as_in_a_raw_image(format: str) -> None:
    with pytest.raises(ImageError, match=r"^format '.*': image encoding '.*' is not supported"):
        decode_image(file(RGB), format=format)


@pytest.mark.parametrize('format', ['mono8; png compressed ', 'bayer_rggb8; png compressed '])
def test_more_bits_than_the_format_says_are_refused(format: str) -> None:
    with pytest.raises(ImageError, match=r'format says .*8, but the file has 16 bits a sample'):
        decode_image(file(DEEP[..., 0]), format=format)


def test_a_mosaic_is_known_by_its_name_alone() -> None:
    found = decode_image(file(RGB[..., 1]), format='bayer_gbrg8')
    np.testing.assert_array_equal(found, ENCODINGS['bayer_gbrg8'].rgb(RGB[..., 1]))


def test_a_mosaic_too_small_to_have_colours_is_refused() -> None:
    with pytest.raises(ImageError, match='bayer_rggb8 images have 3 pixels a side or more'):
        decode_image(file(RGB[:2, :2, 0]), format='bayer_rggb8; png compressed ')
