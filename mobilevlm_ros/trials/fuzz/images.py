"""Fuzzed Image and CompressedImage messages, serialised, and what each of them is."""

from __future__ import annotations

import io
import random
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image as Pillow
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.engine import ENCODINGS
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World
from mobilevlm_ros.trials.fuzz.damage import DAMAGES, cut, damage
from mobilevlm_ros.trials.fuzz.truth import PNG, Truth, set_stamp, truth_of

HEADER_BYTES = 12  # of a serialised message, before what follows its stamp
MOST_BYTES = 200_000
UNKNOWN = ('', '32FC1', '16UC1', '64FC3', 'jpeg', 'RGB8', 'rgb8\n', 'rgb8; jpeg', '☃', 'x' * 5000)
SIDES = st.sampled_from((0, 1, 3, 16, 161, 16384, 16385, 2**16, 2**31 - 1, 2**31, 2**32 - 1))
FORMATS = (
    'jpeg', 'png', '', 'rgb8; jpeg compressed bgr8', 'bayer_rggb8; jpeg compressed ', '\x07' * 300,
    '16UC1; png compressed ', '16UC1; compressedDepth',
)  # fmt: skip
FILES = ('JPEG', 'JPEG', 'JPEG progressive', 'PNG', 'PNG', 'PNG grey', 'PNG palette', 'WEBP')


@dataclass(frozen=True)
class Sent:
    """An image on its way: serialised, under a stamp of its kind."""

    data: bytes
    stamp: tuple[int, int]


@cache
def view(blocked: bool) -> np.ndarray:
    """What the simulated robot sees, RGB uint8 [h, w, 3]: an empty room, or a barrel ahead."""
    things = (Thing('barrel', 'orange', 2.9, 4.5),) if blocked else ()
    image: np.ndarray = render(World(9.0, 9.0, things), Pose(1.5, 4.5, 0.0), noise_seed=1).image
    return image


def good_image(number: int, blocked: bool = False) -> Sent:
    """One that must be answered about."""
    message = rgb_to_image(view(blocked), Image().header.stamp, 'good')
    return seal(serialize_message(message), Truth.GOOD, number)


def good_file(number: int) -> Sent:
    """The same as a JPEG."""
    message = file_message(encode(view(False), 'JPEG'))
    return seal(serialize_message(message), Truth.GOOD, number)


def seal(data: bytes, truth: Truth, number: int) -> Sent:
    """Give a serialised message the stamp of what it is."""
    stamp = truth.stamp(number)
    return Sent(set_stamp(data, stamp), stamp)


def encode(pixels: np.ndarray, name: str) -> bytes:
    """An image file, such as JPEG or `PNG grey`."""
    kind, _, variant = name.partition(' ')
    image = Pillow.fromarray(pixels)
    if variant in ('grey', 'palette'):
        image = image.convert({'grey': 'L', 'palette': 'P'}[variant])
    file = io.BytesIO()
    image.save(file, kind, **({'progressive': True} if variant == 'progressive' else {}))
    return file.getvalue()


def file_message(data: bytes) -> CompressedImage:
    """An image file as a message; what its format says is not looked at."""
    return CompressedImage(format='jpeg', data=array('B', data))  # bytes are checked one by one


@cache
def bomb(side: int) -> bytes:
    """A small PNG that says it has side x side pixels."""
    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(name + body)
        return struct.pack('>I', len(body)) + name + body + struct.pack('>I', checksum)

    header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    return PNG + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(bytes(1 << 20))) + chunk(
        b'IEND', b''
    )


@st.composite
def image_fields(draw: Callable[..., Any]) -> Image:
    """An image whose fields are drawn one by one, around what would fit or anywhere."""
    encoding = draw(st.one_of(st.sampled_from(sorted(ENCODINGS)), st.sampled_from(UNKNOWN)))
    small = st.integers(0, 40)
    height, width = draw(st.one_of(small, small, SIDES)), draw(st.one_of(small, small, SIDES))
    known = ENCODINGS.get(encoding)
    fits = width * (known.pixel_bytes if known else 4)
    step = draw(st.sampled_from((fits, fits, fits, fits - 1, fits + 7, 0, 2**32 - 1))) % 2**32
    size = step * height
    size += 2 * size // known.shrunk**2 if known and known.shrunk else 0
    size = draw(st.sampled_from((size, size, size, size - 1, size + 5, size // 2, 0)))
    message = Image(encoding=encoding, height=height, width=width, step=step)
    message.is_bigendian = draw(st.integers(0, 255))
    message.header.frame_id = draw(st.text(max_size=20))
    message.data = array('B', bytes(max(0, min(size, MOST_BYTES))))
    return message


@st.composite
def file_fields(draw: Callable[..., Any]) -> CompressedImage:
    """Anything but a whole file of the format that the message names."""
    message = CompressedImage(format=draw(st.one_of(st.sampled_from(FORMATS), st.text())))
    message.header.frame_id = draw(st.text(max_size=20))
    sides = st.sampled_from((1, 5000, 13_000, 17_000, 2**31 - 1))
    data = draw(st.one_of(st.binary(max_size=400), st.builds(bomb, sides)))
    message.data = array('B', data)
    return message


def from_messages(messages: Iterator[Any]) -> Iterator[Sent]:
    """Fuzzed messages as they would be sent."""
    for number, message in enumerate(messages):
        yield seal(serialize_message(message), truth_of(message), number)


def from_bytes(rng: random.Random, whole: bytes, message: type) -> Iterator[Sent]:
    """A real message, damaged."""
    number = 0
    while True:
        data = damage(rng, whole, HEADER_BYTES)
        yield seal(data, _truth_of_bytes(data, message), number)
        number += 1


def from_files(rng: random.Random) -> Iterator[Sent]:
    """Real image files, damaged, in messages that are whole."""
    number = 0
    while True:
        message, truth = damaged_file(rng)
        yield seal(serialize_message(message), truth, number)
        number += 1


def damaged_file(rng: random.Random) -> tuple[CompressedImage, Truth]:
    """A damaged image file, and what it is."""
    data = _file(rng.choice(FILES))
    if rng.random() < 0.3:
        data = cut(rng, data[: len(data) * 9 // 10]) + b'\0'
        return file_message(data), Truth.BROKEN
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(DAMAGES)(rng, data)
    message = file_message(data)
    return message, truth_of(message)


@cache
def _file(name: str) -> bytes:
    return encode(view(True), name)


def _truth_of_bytes(data: bytes, message: type) -> Truth:
    try:
        # As it arrives: RTPS pads a payload to whole words, which may stand in for bytes cut off.
        return truth_of(deserialize_message(data + bytes(-len(data) % 4), message))
    except Exception:
        return Truth.BROKEN
