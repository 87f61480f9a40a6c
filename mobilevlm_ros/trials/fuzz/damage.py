"""Damage to bytes: of serialised messages and of encoded image files."""

from __future__ import annotations

import random
from collections.abc import Callable

Damage = Callable[[random.Random, bytes], bytes]
MOST_FLIPS = 8
MOST_INSERTED = 64
NASTY = (b'\0', b'\xff', b'\xc3\x28', b'\xed\xa0\x80', b'\xff\xff\xff\xff', b'\xff\xff\xff\x7f')


def flip(rng: random.Random, data: bytes) -> bytes:
    """Some bits are the other way round."""
    result = bytearray(data)
    for _ in range(rng.randint(1, MOST_FLIPS)):
        result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
    return bytes(result)


def overwrite(rng: random.Random, data: bytes) -> bytes:
    """Something nasty: lengths that are too long, invalid UTF-8, the end of a string."""
    nasty = rng.choice(NASTY)
    at = rng.randrange(len(data))
    return data[:at] + nasty + data[at + len(nasty) :]


def insert(rng: random.Random, data: bytes) -> bytes:
    """Random bytes between."""
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randint(1, MOST_INSERTED)) + data[at:]


def leave_out(rng: random.Random, data: bytes) -> bytes:
    """A piece is missing."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, MOST_INSERTED) :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data))]


DAMAGES: tuple[Damage, ...] = (flip, overwrite, insert, leave_out)


def damage(rng: random.Random, data: bytes, keep: int = 0) -> bytes:
    """Damage bytes once or more; the first `keep` mostly stay."""
    head, rest = (b'', data) if rng.random() < 0.05 else (data[:keep], data[keep:])
    for _ in range(rng.randint(1, 3)):
        rest = rng.choice((*DAMAGES, cut))(rng, rest) or b'\0'
    return head + rest
