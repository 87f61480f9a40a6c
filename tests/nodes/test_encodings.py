"""Every encoding that cameras send, against images made the other way round."""

from array import array

import cv2
import numpy as np
import pytest

from mobilevlm_ros.engine import ImageError
from mobilevlm_ros.nodes.encodings import ENCODINGS, to_rgb

H, W = 6, 8


@pytest.fixture
def rgb():
    return np.random.default_rng(1).integers(0, 256, (H, W, 3), np.uint8)


def decode(encoding, samples, step=None, big=False, height=H, width=W):
    data = samples.astype(samples.dtype.newbyteorder('>' if big else '<')).tobytes()
    step = step or len(data) // len(samples)
    return to_rgb(array('B', data), encoding, height, width, step, big)


@pytest.mark.parametrize('name, order', [
    ('rgb', [0, 1, 2]), ('bgr', [2, 1, 0]), ('rgba', [0, 1, 2, 1]), ('bgra', [2, 1, 0, 1]),
])  # fmt: skip
def test_colour_orders(rgb, name, order):
    samples = rgb[..., order]
    assert np.array_equal(decode(f'{name}8', samples), rgb)
    deep = samples.astype(np.uint16) * 256 + 7
    for big in (False, True):
        assert np.array_equal(decode(f'{name}16', deep, big=big), rgb)


@pytest.mark.parametrize('big', [False, True])
def test_mono_is_grey_and_16_bits_keep_the_upper_half(rgb, big):
    grey = rgb[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(decode('mono8', grey), expected)
    assert np.array_equal(decode('mono16', grey.astype(np.uint16) * 256 + 200, big=big), expected)


BAYER_FIRST_ROWS = {'rggb': ('RG', 'GB'), 'bggr': ('BG', 'GR'), 'gbrg': ('GB', 'RG'),
                    'grbg': ('GR', 'BG')}  # fmt: skip


@pytest.mark.parametrize('pattern', BAYER_FIRST_ROWS)
@pytest.mark.parametrize('bits', [8, 16])
def test_bayer_patterns_give_back_a_plain_colour(pattern, bits):
    colour = {'R': 200, 'G': 100, 'B': 50}
    tile = np.array([[colour[c] for c in row] for row in BAYER_FIRST_ROWS[pattern]])
    mosaic = np.tile(tile, (H // 2, W // 2)).astype(np.uint8)
    if bits == 16:
        mosaic = mosaic.astype(np.uint16) * 256
    image = decode(f'bayer_{pattern}{bits}', mosaic)
    assert np.array_equal(image, np.broadcast_to((200, 100, 50), (H, W, 3)))


def smooth():
    """An image without edges, so that halving its colour loses nothing."""
    return np.broadcast_to(np.array((200, 90, 40), np.uint8), (H, W, 3))


def close(a, b):
    return np.abs(a.astype(int) - b).max() <= 3


@pytest.mark.parametrize('name, order', [
    ('uyvy', 'UYVY'), ('yuv422', 'UYVY'), ('yuyv', 'YUYV'), ('yuv422_yuy2', 'YUYV'),
])  # fmt: skip
def test_packed_yuv(name, order):
    planes = cv2.cvtColor(smooth(), cv2.COLOR_RGB2YUV_I420)
    y, u, v = int(planes[0, 0]), int(planes[H, 0]), int(planes[-1, -1])
    row = [{'Y': y, 'U': u, 'V': v}[c] for c in order] * (W // 2)
    samples = np.tile(np.array(row, np.uint8), (H, 1))
    assert close(decode(name, samples), smooth())


@pytest.mark.parametrize('name, first', [('nv12', 'U'), ('nv21', 'V')])
def test_planar_yuv(name, first):
    planes = cv2.cvtColor(smooth(), cv2.COLOR_RGB2YUV_I420)
    y, u, v = int(planes[0, 0]), int(planes[H, 0]), int(planes[-1, -1])
    chroma = np.tile(np.array([u, v] if first == 'U' else [v, u], np.uint8), (H // 2, W // 2))
    samples = np.concatenate([np.full((H, W), y, np.uint8), chroma])
    assert close(decode(name, samples), smooth())


def test_rows_may_be_padded_in_every_encoding():
    random = np.random.default_rng(2)
    for name, encoding in ENCODINGS.items():
        rows = H * 3 // 2 if encoding.planar else H
        plain = random.integers(0, 256, (rows, W * encoding.pixel_bytes), np.uint8)
        padded = np.concatenate([plain, random.integers(0, 256, (rows, 5), np.uint8)], axis=1)
        assert np.array_equal(decode(name, padded), decode(name, plain)), name


def test_rgb8_is_a_read_only_view_of_the_message():
    data = array('B', bytes(range(H * W * 3)))
    image = to_rgb(data, 'rgb8', H, W, W * 3)
    assert np.shares_memory(image, np.frombuffer(data, np.uint8))
    assert not image.flags.writeable


@pytest.mark.parametrize('encoding', ['', 'RGB8', '8UC3', '16UC1', '32FC1', 'jpeg', 'yuv444'])
def test_unknown_encodings_are_refused_with_the_known_ones(encoding):
    with pytest.raises(ImageError, match=r'encoding.*rgb8'):
        to_rgb(bytes(H * W * 3), encoding, H, W, W * 3)


@pytest.mark.parametrize('size, height, width, step, message', [
    (H * W * 3 - 1, H, W, W * 3, 'truncated'),
    (0, H, W, W * 3, 'truncated'),
    (H * W * 3, H, W, W * 3 - 1, 'step is 23 bytes'),
    (H * W * 3, H, W, 0, 'step is 0 bytes'),
    (H * W * 3, 0, W, W * 3, 'empty'),
    (H * W * 3, H, 0, W * 3, 'empty'),
    (10, 4_000_000_000, 4_000_000_000, 4_000_000_000, 'step'),
])  # fmt: skip
def test_data_that_cannot_hold_the_image_are_refused(size, height, width, step, message):
    with pytest.raises(ImageError, match=message):
        to_rgb(bytes(size), 'rgb8', height, width, step)


@pytest.mark.parametrize('encoding', ['nv12', 'uyvy', 'bayer_rggb8'])
def test_odd_sides_are_refused_where_pixels_come_in_pairs(encoding):
    with pytest.raises(ImageError, match='even'):
        to_rgb(bytes(1000), encoding, 6, 7, 14)


def test_random_headers_give_an_image_or_an_image_error():
    random = np.random.default_rng(3)
    names = [*ENCODINGS, 'nonsense']
    for _ in range(3000):
        height, width, step, size = (int(n) for n in random.integers(0, 40, 4))
        try:
            data = bytes(size * step)
            image = to_rgb(data, names[random.integers(len(names))], height, width, step, True)
        except ImageError:
            continue
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
