import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mobilevlm_ros.engine import (
    ConfigError,
    ImageError,
    decode_image,
    image_paths,
    images,
    read_image,
)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def photo() -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    return Image.fromarray(pixels)


def test_a_lossless_image_is_read_as_it_is(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / 'photo.png')
    np.testing.assert_array_equal(read_image(tmp_path / 'photo.png'), np.asarray(photo))


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGBA', 'P', 'CMYK', '1'])
def test_every_mode_becomes_rgb(photo: Image.Image, mode: str) -> None:
    pixels = decode_image(encoded(photo.convert(mode), 'TIFF'))
    assert pixels.shape == (40, 60, 3) and pixels.dtype == np.uint8


@pytest.mark.parametrize('orientation', range(10))
@pytest.mark.parametrize('format', ['PNG', 'WEBP', 'TIFF'])
def test_a_turned_photo_is_turned_upright(
    photo: Image.Image, format: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {'lossless': True} if format == 'WEBP' else {}
    pixels = decode_image(encoded(photo, format, exif=exif, **lossless))
    photo.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(pixels, np.asarray(ImageOps.exif_transpose(photo)))


@pytest.mark.parametrize('format', ['JPEG', 'PNG'])
@pytest.mark.parametrize('kept', [0.05, 0.5, 0.95])
def test_a_truncated_image_is_refused(photo: Image.Image, format: str, kept: float) -> None:
    data = encoded(photo, format)
    with pytest.raises(ImageError, match='the image'):
        decode_image(data[: int(len(data) * kept)])


@pytest.mark.parametrize('data', [b'', b'hello', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'])
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode_image(data)


@pytest.mark.parametrize('sides, message', [
    ((12_000, 9_000), 'view.png has 12000 x 9000 pixels; scale it to 64 million at most'),
    ((20_000, 20_000), 'view.png has too many pixels; scale it to 64 million at most'),
])  # fmt: skip
def test_too_many_pixels_are_refused_in_our_words_alone(
    sides: tuple[int, int], message: str
) -> None:
    data = encoded(Image.new('1', sides), 'PNG')
    with warnings.catch_warnings(record=True) as warned, pytest.raises(ImageError) as error:
        warnings.simplefilter('always')
        decode_image(data, 'view.png')
    assert str(error.value) == message and not warned


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r'absent\.jpg cannot be read: No such file'):
        read_image(tmp_path / 'absent.jpg')


@pytest.mark.parametrize('path', ['/dev/zero', 'a\0b'])
def test_a_path_that_has_no_image_is_refused(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, 'MOST_BYTES', 1000)
    with pytest.raises(ImageError, match=r'more than 1000 bytes|cannot be read: .*zero byte'):
        read_image(path)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match='cannot be read'):
        read_image(tmp_path)


def test_the_images_of_a_folder_come_by_name(tmp_path: Path) -> None:
    for name in ('b.PNG', 'a.jpg', 'notes.txt', 'c.webp'):
        (tmp_path / name).touch()
    assert [path.name for path in image_paths(tmp_path)] == ['a.jpg', 'b.PNG', 'c.webp']


def test_a_place_without_images_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f'{tmp_path} has no images'):
        image_paths(tmp_path)
    with pytest.raises(ConfigError, match='absent is not a folder'):
        image_paths(tmp_path / 'absent')


def test_a_png_whose_checksum_is_wrong_is_refused(photo: Image.Image) -> None:
    data = bytearray(encoded(photo, 'PNG', compress_level=0))  # so that it can be unpacked
    data[data.index(b'IDAT') + 60] ^= 1
    with pytest.raises(ImageError, match='damaged PNG: a checksum is wrong'):
        decode_image(bytes(data))


def test_a_file_that_would_unpack_to_gigabytes_is_refused(photo: Image.Image) -> None:
    data = encoded(photo, 'BMP')
    sides = struct.pack('<ii', 12_000, 12_000)
    with pytest.raises(ImageError, match='12000 x 12000 pixels; scale it'):
        decode_image(data[:18] + sides + data[26:])


def test_formats_that_start_programs_are_not_read(photo: Image.Image) -> None:
    with pytest.raises(ImageError, match='not an image of a kind that can be read'):
        decode_image(encoded(photo, 'EPS'))
