"""Every encoding that cameras send, against cv_bridge and images made the other way round."""

import re
import sys
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobilevlm_ros.engine import ENCODINGS, ImageError
from mobilevlm_ros.nodes.encodings import to_rgb

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
    deep = samples.astype(np.uint16) * 257
    for big in (False, True):
        assert np.array_equal(decode(f'{name}16', deep, big=big), rgb)


def test_mono_is_grey(rgb):
    grey = rgb[..., 0]
    assert np.array_equal(decode('mono8', grey), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize('big', [False, True])
def test_16_bits_are_scaled_to_8_and_rounded(big):
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    shallow = decode('mono16', deep, big=big, height=256, width=256)
    assert np.array_equal(shallow[..., 1], (deep.astype(int) + 128) // 257)


CV_BRIDGE = np.load(Path(__file__).with_name('cv_bridge.npz'))  # see make_cv_bridge.py


@pytest.mark.parametrize('name', [name for name in CV_BRIDGE if not name.endswith('rgb')])
def test_pixels_are_those_of_cv_bridge(name):
    encoding, *sizes = name.split()
    height, width, step = map(int, sizes)
    data, expected = CV_BRIDGE[name], CV_BRIDGE[f'{name} rgb']
    assert np.array_equal(to_rgb(data.tobytes(), encoding, height, width, step), expected)
    if ENCODINGS[encoding].bits == 16:
        swapped = data.view('>u2').astype('<u2').tobytes()
        assert np.array_equal(to_rgb(swapped, encoding, height, width, step, True), expected)
    renamed = {'yuv422': 'uyvy', 'yuv422_yuy2': 'yuyv'}.get(encoding)
    if renamed:
        assert np.array_equal(to_rgb(data.tobytes(), renamed, height, width, step), expected)


# What the cv_bridge on PyPI converts as well as that of ROS, whichever is installed.
@pytest.mark.parametrize('encoding', [
    'mono8', 'rgb8', 'bgr8', 'rgba8', 'bgra8', 'yuv422', 'bayer_rggb8', 'bayer_bggr8',
    'bayer_gbrg8',
])  # fmt: skip
def test_pixels_are_those_of_the_cv_bridge_that_is_installed(encoding):
    cv_bridge = pytest.importorskip('cv_bridge.boost.cv_bridge_boost')
    channels = ENCODINGS[encoding].channels
    shape = (H, W, channels) if channels > 1 else (H, W)
    samples = np.random.default_rng(6).integers(0, 256, shape, np.uint8)
    expected = cv_bridge.cvtColor2(samples, encoding, 'rgb8')
    assert np.array_equal(decode(encoding, samples), expected)


BAYER_FIRST_ROWS = {'rggb': ('RG', 'GB'), 'bggr': ('BG', 'GR'), 'gbrg': ('GB', 'RG'),
                    'grbg': ('GR', 'BG')}  # fmt: skip


@pytest.mark.parametrize('pattern', BAYER_FIRST_ROWS)
@pytest.mark.parametrize('bits, big', [(8, False), (16, False), (16, True)])
def test_bayer_patterns_give_back_a_plain_colour(pattern, bits, big):
    colour = {'R': 200, 'G': 100, 'B': 50}
    tile = np.array([[colour[c] for c in row] for row in BAYER_FIRST_ROWS[pattern]])
    mosaic = np.tile(tile, (H // 2, W // 2)).astype(np.uint8)
    if bits == 16:
        mosaic = mosaic.astype(np.uint16) * 257 + 77
    image = decode(f'bayer_{pattern}{bits}', mosaic, big=big)
    assert np.array_equal(image, np.broadcast_to((200, 100, 50), (H, W, 3)))


def test_names_of_opencv_mean_its_order_of_colours(rgb):
    bgra = rgb[..., [2, 1, 0, 1]]
    for big in (False, True):
        deep = bgra.astype(np.uint16) * 257
        assert np.array_equal(decode('16UC4', deep, big=big), rgb)
        assert np.array_equal(decode('16UC3', deep[..., :3], big=big), rgb)
    assert np.array_equal(decode('8UC4', bgra), rgb)
    assert np.array_equal(decode('8UC3', bgra[..., :3]), rgb)
    assert np.array_equal(decode('8UC1', rgb[..., 1]), np.repeat(rgb[..., 1:2], 3, axis=2))


def test_every_name_of_this_ros_is_known_or_no_picture():
    header = Path(sys.prefix, 'include/sensor_msgs/sensor_msgs/image_encodings.hpp')
    if not header.is_file():
        pytest.skip('ROS is installed without its C++ headers, or elsewhere')
    names = set(re.findall(r'^const char \w+\[\] = "(\w+)"', header.read_text(), re.MULTILINE))
    assert {'rgb8', 'nv24', '64FC4'} <= names
    signed_float_or_pairs = {n for n in names if re.fullmatch(r'\d+([SF]C.|UC2)', n)}
    assert names - set(ENCODINGS) - signed_float_or_pairs == {'16UC1'}


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


# By hand, BT.601: R = 1.164 (Y - 16) + 1.596 (V - 128); G = 1.164 (Y - 16) - 0.391 (U - 128)
# - 0.813 (V - 128); B = 1.164 (Y - 16) + 2.018 (U - 128).
@pytest.mark.parametrize('yuv, expected', [
    ((16, 128, 128), (0, 0, 0)), ((235, 128, 128), (255, 255, 255)),
    ((116, 128, 128), (116, 116, 116)), ((81, 90, 240), (254, 0, 0)),
    ((41, 240, 110), (0, 0, 255)), ((116, 138, 118), (100, 121, 137)),
])  # fmt: skip
def test_each_pixel_of_nv24_has_a_chroma_of_its_own(yuv, expected):
    y, u, v = yuv
    luma, chroma = np.full((2, 3), 16, np.uint8), np.full((2, 6), 128, np.uint8)
    luma[1, 1], chroma[1, 2:4] = y, (u, v)
    planes = [np.pad(luma, ((0, 0), (0, 2))), np.pad(chroma, ((0, 0), (0, 4)))]
    data = b''.join(plane.tobytes() for plane in planes)
    image = to_rgb(data, 'nv24', 2, 3, step=5)
    found = image[1, 1].astype(int)
    assert np.abs(found - expected).max() <= 1
    assert np.delete(image.reshape(-1, 3), 4, axis=0).max() == 0


def test_nv24_is_converted_as_opencv_does_with_half_its_colours():
    random = np.random.default_rng(4)
    luma = random.integers(0, 256, (H, W), np.uint8)
    chroma = random.integers(0, 256, (H // 2, W // 2, 2), np.uint8)
    half = np.concatenate([luma, chroma.reshape(H // 2, W)])
    whole = np.concatenate([luma.ravel(), chroma.repeat(2, axis=0).repeat(2, axis=1).ravel()])
    found = to_rgb(whole.tobytes(), 'nv24', H, W, W).astype(int)
    assert np.abs(found - decode('nv12', half, step=W)).max() <= 1


def test_rows_may_be_padded_in_every_encoding():
    random = np.random.default_rng(2)
    for name, encoding in ENCODINGS.items():
        sizes = [(H, W * encoding.pixel_bytes, 6)]
        if encoding.shrunk:
            sizes.append((H // encoding.shrunk, W * 2 // encoding.shrunk, 12 // encoding.shrunk))
        plain, padded = b'', b''
        for rows, row, padding in sizes:
            plane = random.integers(0, 256, (rows, row), np.uint8)
            plain += plane.tobytes()
            padded += np.pad(plane, ((0, 0), (0, padding)), constant_values=99).tobytes()
        step = W * encoding.pixel_bytes
        expected = to_rgb(plain, name, H, W, step)
        assert np.array_equal(to_rgb(padded, name, H, W, step + 6), expected), name


def test_rgb8_is_a_read_only_view_of_the_message():
    data = array('B', bytes(range(H * W * 3)))
    image = to_rgb(data, 'rgb8', H, W, W * 3)
    assert np.shares_memory(image, np.frombuffer(data, np.uint8))
    assert not image.flags.writeable


@pytest.mark.parametrize('encoding', ['', 'RGB8', '8UC2', '32SC3', '64FC1', 'jpeg', 'yuv444'])
def test_unknown_encodings_are_refused_with_the_known_ones(encoding):
    with pytest.raises(ImageError, match=r'encoding.*rgb8'):
        to_rgb(bytes(H * W * 3), encoding, H, W, W * 3)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_images_are_refused_as_such(encoding):
    with pytest.raises(ImageError, match='depth image; send a colour image'):
        to_rgb(bytes(H * W * 4), encoding, H, W, W * 4)


@pytest.mark.parametrize('size, height, width, step, message', [
    (H * W * 3 - 1, H, W, W * 3, 'rgb8 image is truncated: 6 rows of 24 bytes are 144 bytes'),
    (0, H, W, W * 3, 'rgb8 image is truncated'),
    (H * W * 3 + 1, H, W, W * 3, 'rgb8 image has too much data: 6 rows .* data has 145'),
    (H * W * 3, H, W, W * 3 - 1, 'step is 23 bytes, but a row of 8 rgb8 pixels takes 24'),
    (H * W * 3, H, W, 0, 'step is 0 bytes'),
    (H * W * 3, 0, W, W * 3, 'empty'),
    (H * W * 3, H, 0, W * 3, 'empty'),
    (10, 4_000_000_000, 4_000_000_000, 4_000_000_000, 'step'),
])  # fmt: skip
def test_data_that_cannot_hold_the_image_are_refused(size, height, width, step, message):
    with pytest.raises(ImageError, match=message):
        to_rgb(bytes(size), 'rgb8', height, width, step)


@pytest.mark.parametrize('encoding, expected', [
    ('nv12', 'even sides'), ('nv21', 'even sides'), ('uyvy', 'an even width'),
    ('yuyv', 'an even width'),
])  # fmt: skip
def test_odd_sides_are_refused_where_pixels_come_in_pairs(encoding, expected):
    with pytest.raises(ImageError, match=f'{encoding} images have {expected}, not 7 x 6 pixels'):
        to_rgb(bytes(1000), encoding, 6, 7, 14)


@pytest.mark.parametrize('height, width', [(2, 2), (1, 9), (9, 1)])
def test_a_mosaic_too_small_to_have_colours_is_refused(height, width):
    with pytest.raises(ImageError, match='bayer_rggb8 images have 3 pixels a side or more'):
        to_rgb(bytes(height * width), 'bayer_rggb8', height, width, width)


def test_rows_that_begin_at_odd_addresses_are_read():
    row = np.arange(1, 9, dtype='<u2') * 257
    data = b''.join(row.tobytes() + b'x' for _ in range(H))
    assert (to_rgb(data, 'mono16', H, W, 17) == np.arange(1, 9)[:, None]).all()


def test_random_headers_give_an_image_or_an_image_error():
    random = np.random.default_rng(3)
    names, seen = [*ENCODINGS, 'nonsense'], set()
    for _ in range(3000):
        height, width, step, size = (int(n) for n in random.integers(0, 40, 4))
        name = names[random.integers(len(names))]
        known = ENCODINGS.get(name)
        if known and random.random() < 0.5:  # most would be refused for their size
            size = height * (1 + 2 * (known.shrunk == 1)) + height // 2 * (known.shrunk == 2)
        try:
            image = to_rgb(bytes(size * step), name, height, width, step, True)
        except ImageError:
            continue
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
        seen.add(name)
    assert seen == set(ENCODINGS)
