"""What a fuzzed image is, found without the node's own code, and the stamp that says so later.

Stamps are seconds of ranges that do not meet, so that an answer tells which kind it is about.
"""

from __future__ import annotations

import re
import struct
import zlib
from enum import Enum

from sensor_msgs.msg import CompressedImage, Image

LONGEST_SIDE = 16384
PLAIN = re.compile(r'(?:(rgb|bgr)(a?)|mono|bayer_(?:rggb|bggr|gbrg|grbg))(8|16)')
PACKED_YUV = ('uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2')
OPENCV = re.compile(r'8UC([134])|16UC([34])')
DEPTH = ('16UC1', '32FC1')
PLANAR_YUV = {'nv12': 1.5, 'nv21': 1.5, 'nv24': 3}  # bytes of a pixel in all planes
PNG, JPEG = b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'
NETPBM = (b'P1', b'P2', b'P3', b'P4', b'P5', b'P6', b'Pf')
OTHERS = (b'BM', b'GIF8', b'II*\0', b'MM\0*', b'RIFF', *NETPBM)
RANGE_S = 100_000
EPOCH_S = 1_700_000_000


class Truth(Enum):
    """What may become of an image."""

    GOOD = 3  # it must be answered about
    DOUBTFUL = 2  # damage that nobody can see: a JPEG has no checksum, nor have raw pixels
    BROKEN = 1  # it must never be answered about

    def stamp(self, number: int) -> tuple[int, int]:
        """Seconds and nanoseconds for an image of this kind."""
        return EPOCH_S + self.value * RANGE_S + number // 1000, number % 1000

    @staticmethod
    def of_stamp(seconds: int) -> Truth | None:
        """Which kind has a stamp of these seconds; None: no image that was sent."""
        value = (seconds - EPOCH_S) // RANGE_S
        return Truth(value) if value in (1, 2, 3) else None


def set_stamp(data: bytes, stamp: tuple[int, int]) -> bytes:
    """Put a stamp into a serialised message that begins with a Header, as far as it goes."""
    written = struct.pack('<iI' if data[1:2] and data[1] & 1 else '>iI', *stamp)
    return (data[:4] + written + data[12:])[: len(data)]


def truth_of(message: Image | CompressedImage) -> Truth:
    """What a message is that could be deserialised: never GOOD, since it is a fuzzed one."""
    whole = is_whole_image if isinstance(message, Image) else is_whole_file
    return Truth.DOUBTFUL if whole(message) else Truth.BROKEN


def is_whole_image(message: Image) -> bool:
    """Whether its fields fit each other."""
    height, width, encoding = message.height, message.width, message.encoding
    found = PLAIN.fullmatch(encoding)
    if found:
        colours, alpha, bits = found.groups()
        pixel_bytes = (3 + bool(alpha) if colours else 1) * int(bits) // 8
    elif found := OPENCV.fullmatch(encoding):
        pixel_bytes = int(found[1]) if found[1] else 2 * int(found[2])
    elif encoding in (*PACKED_YUV, *PLANAR_YUV):
        pixel_bytes = 2 if encoding in PACKED_YUV else 1
    else:
        return False
    halved = encoding in ('nv12', 'nv21')
    if (height % 2 and halved) or (width % 2 and (halved or encoding in PACKED_YUV)):
        return False
    size = height * message.step * PLANAR_YUV.get(encoding, 1)
    least = 3 if encoding.startswith('bayer') else 1
    sides = least <= min(height, width) and max(height, width) <= LONGEST_SIDE
    return bool(sides and message.step >= width * pixel_bytes and len(message.data) == size)


def is_whole_file(message: CompressedImage) -> bool:
    """Whether a reader may take it for a colour image."""
    data = bytes(message.data)
    if 'compressedDepth' in message.format or message.format.startswith(DEPTH):
        return False
    if data.startswith(PNG):
        return is_whole_png(data)
    return data.startswith((JPEG, *OTHERS))


def is_whole_png(data: bytes) -> bool:
    """Whether every chunk up to the end is there with its checksum, and the pixels unpack."""
    at, pixels = len(PNG), b''
    while at + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, at)
        chunk = data[at + 4 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if chunk[:4] == b'IEND':  # whose own checksum guards nothing
            return _unpacks(pixels)
        if len(checksum) < 4 or struct.unpack('>I', checksum)[0] != zlib.crc32(chunk):
            return False
        if chunk[:4] == b'IDAT':
            pixels += chunk[4:]
        at += 12 + length
    return False


def _unpacks(data: bytes) -> bool:
    try:
        return bool(zlib.decompress(data))
    except zlib.error:
        return False
