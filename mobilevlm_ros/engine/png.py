"""PNG files, chunk by chunk."""

from __future__ import annotations

import struct
import zlib

from mobilevlm_ros.engine.errors import ImageError

SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PIXELS = (b'IHDR', b'PLTE', b'IDAT', b'eXIf', b'IEND')  # the last but one: how they are turned
_AROUND = 12  # bytes of a chunk beside its body: length, name, checksum


def without_metadata(data: bytes) -> bytes:
    """A PNG without comments, profiles, transparency and animation.

    A decoder that stumbles over those would refuse pixels that are whole.

    Raises:
        ImageError: if a checksum is wrong, or the end is missing.
    """
    kept, at, name = [SIGNATURE], len(SIGNATURE), b''
    while name != b'IEND':
        length, name = struct.unpack_from('>I4s', data.ljust(at + _AROUND, b'\0'), at)
        end = at + _AROUND + length
        if end > len(data):
            raise ImageError('is a truncated PNG; send it again, whole')
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from('>I', data, end - 4)[0]:
            raise ImageError('is a damaged PNG: a checksum is wrong; send it again, whole')
        if name in _PIXELS:
            kept.append(data[at:end])
        at = end
    return b''.join(kept)
