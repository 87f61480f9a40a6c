import io
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from mobilevlm_ros.engine import ImageError, decode_image

DEEP = np.random.default_rng(2).integers(0, 65536, (12, 10, 3), np.uint16)
GREY = DEEP[..., 0]


def shallow(deep: np.ndarray) -> np.ndarray:
    """The colours, or greys as colours, in eight bits."""
    eight = ((deep.astype(int) + 128) // 257).astype(np.uint8)
    return eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def png(samples: np.ndarray) -> bytes:
    return bytes(cv2.imencode('.png', samples)[1])


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.mark.parametrize('data', [
    png(DEEP[..., ::-1]), png(np.dstack([DEEP[..., ::-1], GREY])),
], ids=['RGB', 'RGBA'])  # fmt: skip
def test_colours_of_16_bits_in_a_png_are_rounded(data: bytes) -> None:
    np.testing.assert_array_equal(decode_image(data), shallow(DEEP))


@pytest.mark.parametrize('data, expected', [
    (png(GREY), GREY),
    (tiff(GREY), GREY),
    (tiff(GREY, byteorder='>'), GREY),
    (tiff(GREY, compression='zlib'), GREY),
    (tiff(GREY, photometric='miniswhite'), ~GREY),
    (b'P5\n10 12\n65535\n' + GREY.astype('>u2').tobytes(), GREY),
], ids=['PNG', 'TIFF', 'big-endian', 'compressed', 'negative', 'PGM'])  # fmt: skip
def test_greys_of_16_bits_are_rounded(data: bytes, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_image(data), shallow(expected))


def test_colours_of_16_bits_in_a_tiff_keep_the_upper_eight() -> None:
    pixels = decode_image(tiff(DEEP, photometric='rgb'))
    np.testing.assert_array_equal(pixels, DEEP >> 8)


@pytest.mark.parametrize('samples', [
    GREY.astype(np.float32) / 65536, GREY.astype(np.int32), GREY.astype(np.uint32),
    (GREY // 2).astype(np.int16), (GREY // 512).astype(np.int8),
], ids=lambda samples: str(samples.dtype))  # fmt: skip
@pytest.mark.parametrize('compression', [None, 'zlib'])
def test_values_whose_white_nobody_knows_are_refused(
    samples: np.ndarray, compression: str | None
) -> None:
    with pytest.raises(ImageError, match='which value is white; send JPEG or PNG, grey or RGB'):
        decode_image(tiff(samples, photometric='minisblack', compression=compression))


@pytest.mark.parametrize('samples', [
    DEEP.astype(np.float32), DEEP.astype(np.int32), GREY.astype(np.float64),
], ids=lambda samples: f'{samples.dtype} {samples.ndim}')  # fmt: skip
def test_other_floats_are_not_read_either(samples: np.ndarray) -> None:
    photometric = 'rgb' if samples.ndim == 3 else 'minisblack'
    with pytest.raises(ImageError, match='not a TIFF of a kind that can be read; send JPEG'):
        decode_image(tiff(samples, photometric=photometric))


def test_a_float_image_of_netpbm_is_refused() -> None:
    with pytest.raises(ImageError, match='which value is white'):
        decode_image(b'Pf\n2 2\n-1.0\n' + np.ones(4, '<f4').tobytes())


def test_16_bits_in_planes_are_refused() -> None:
    planes = np.ascontiguousarray(DEEP.transpose(2, 0, 1))
    with pytest.raises(ImageError, match='16 bits a sample in a layout that is not known'):
        decode_image(tiff(planes, photometric='rgb', planarconfig='separate'))


def test_transparency_is_left_out_without_a_warning() -> None:
    image = Image.fromarray(shallow(DEEP)).convert('P')
    data = saved(image, 'GIF', transparency=3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        pixels = decode_image(data)
        clear = decode_image(saved(image, 'PNG', transparency=bytes(range(256))))
    np.testing.assert_array_equal(pixels, np.asarray(image.convert('RGB')))
    np.testing.assert_array_equal(clear, np.asarray(image.convert('RGB')))


@pytest.mark.parametrize('format', ['GIF', 'PNG', 'TIFF', 'WEBP'])
def test_of_several_images_the_first_is_read(format: str) -> None:
    first, second = Image.new('RGB', (10, 12), (200, 0, 0)), Image.new('RGB', (10, 12))
    lossless = {'lossless': True} if format == 'WEBP' else {}
    data = saved(first, format, save_all=True, append_images=[second], **lossless)
    np.testing.assert_array_equal(decode_image(data), np.asarray(first))


@pytest.mark.parametrize('body', [b'', b'Exif\0\0', b'Exif\0\0II*\0\xff\xff\xff\x7f', b'\xff' * 9])
def test_a_jpeg_is_read_whatever_is_wrong_with_its_exif(body: bytes) -> None:
    data = saved(Image.fromarray(shallow(DEEP)), 'JPEG')
    broken = data[:2] + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body + data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        np.testing.assert_array_equal(decode_image(broken), decode_image(data))


@pytest.mark.parametrize('value', [('I', 1, 5), ('s', 0, 'text'), ('d', 2, [1e300, 0.0])])
def test_a_tiff_is_read_whatever_its_xmp_is(value: tuple[object, ...]) -> None:
    data = tiff(shallow(DEEP), photometric='rgb', extratags=[(700, *value, True)])
    np.testing.assert_array_equal(decode_image(data), shallow(DEEP))


def test_random_damage_gives_an_image_or_an_image_error() -> None:
    random = np.random.default_rng(3)
    image = Image.fromarray(shallow(DEEP))
    names = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
    files = [np.frombuffer(saved(image, name), np.uint8) for name in names]
    files += [np.frombuffer(png(DEEP), np.uint8), np.frombuffer(tiff(GREY), np.uint8)]
    for number in range(2000):
        data = files[number % len(files)].copy()
        data[random.integers(0, data.size, 4)] = random.integers(0, 256, 4)
        try:
            pixels = decode_image(_with_checksums(data.tobytes()))
        except ImageError as error:
            assert 'object at' not in str(error)
            continue
        assert pixels.dtype == np.uint8 and pixels.shape[2] == 3 and pixels.size


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose damage its checksums do not tell; anything else as it is."""
    if not data.startswith(b'\x89PNG\r\n\x1a\n'):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, at)
        body = data[at + 4 : at + 8 + length]
        parts.append(data[at : at + 4] + body + struct.pack('>I', zlib.crc32(body)))
        at += 12 + length
    return b''.join(parts)
