import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mobilevlm_ros.engine import ImageError, decode_image
from mobilevlm_ros.engine.png import without_metadata


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8)


@pytest.fixture
def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'PNG')
    return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', checksum)


def with_chunk(png: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk, behind its header."""
    return png[:33] + chunk(name, body) + png[33:]


def test_a_plain_png_stays_as_it_is(png: bytes) -> None:
    assert without_metadata(png) == png


@pytest.mark.parametrize('name, body', [
    (b'eXIf', b'nonsense'), (b'eXIf', b''), (b'eXIf', b'II*\0\xff\xff\xff\x7f'),
    (b'eXIf', b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff\0\x06\0\0'),
    (b'gAMA', b'\0'), (b'cHRM', b'short'), (b'pHYs', b''), (b'sRGB', b''), (b'tRNS', b'x'),
    (b'iCCP', b'name\0\0' + zlib.compress(bytes(3_000_000))), (b'iCCP', b''), (b'acTL', b'x'),
    (b'zTXt', b'key\0\0' + zlib.compress(bytes(3_000_000))), (b'fcTL', b''), (b'fdAT', b'1'),
])  # fmt: skip
def test_pixels_are_read_whatever_is_wrong_with_metadata(
    png: bytes, pixels: np.ndarray, name: bytes, body: bytes
) -> None:
    np.testing.assert_array_equal(decode_image(with_chunk(png, name, body)), pixels)


def test_what_comes_after_the_end_is_not_looked_at(png: bytes, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_image(png + b'more'), pixels)


@pytest.mark.parametrize('kept', [8, 9, 20, 33, 60, -12, -1])
def test_a_png_without_its_end_is_refused(png: bytes, kept: int) -> None:
    with pytest.raises(ImageError, match='the image is a truncated PNG; send it again, whole'):
        decode_image(png[:kept])


@pytest.mark.parametrize('name', [b'tEXt', b'IDAT'])
def test_a_wrong_checksum_is_refused_wherever_it_is(png: bytes, name: bytes) -> None:
    data = with_chunk(png, b'tEXt', b'key\0text')
    at = data.index(name) + 6
    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    with pytest.raises(ImageError, match='damaged PNG: a checksum is wrong'):
        decode_image(data)
