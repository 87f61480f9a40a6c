"""Texts that tokenisers stumble over, for proofs."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIXED = (
    '',
    ' ',
    '   ',
    'What is ahead?',
    '\nIs there a red box? ASSISTANT:',
    '  two  spaces  ',
    'tab\tnewline\nreturn\r\x00\x01\x7f\x85\u200b\ufeff',
    'café naïve Größe cafe\u0301',
    '机器人看到了什么？ロボットは何を見ましたか 로봇은',
    'مرحبا עולם नमस्ते Привет',
    '🤖🚪👩‍🚀🏳️‍🌈🇩🇪',
    '\U00010348\U0001f9ff\ue000\ufffd\U0010fffd',
    'Ａ①ﬁ½Ⅷ㌔',
    '0123456789 3.14159 -1e-5 0xFF',
    '▁already▁marked ▁',
    '<s></s><unk><0x41><|im_start|>[INST]<image>',
    'a' * 300,
    ' ' * 300,
    '\n' * 300,
    '=' * 257 + '🤖' * 97 + '人' * 97,
    'to be or not to be ' * 40,
    'https://example.org/a?b=c&d=%20#e {"json": [1, 2.5, null]}',
)
# Ranges of characters: control, ASCII, Latin, Cyrillic, Hangul, CJK, private, emoji, rare planes.
RANGES = (
    (0x00, 0x1F), (0x20, 0x7E), (0x20, 0x7E), (0x80, 0x24F), (0x400, 0x4FF), (0xAC00, 0xD7A3),
    (0x4E00, 0x9FFF), (0xE000, 0xE0FF), (0x1F300, 0x1FAFF), (0x10000, 0x10FFFF),
)  # fmt: skip
LONGEST = 80


def nasty_texts(random_count: int, seed: int = 0) -> Iterator[str]:
    """The fixed texts, then so many random ones, always the same for a seed."""
    yield from FIXED
    generator = random.Random(seed)
    for _ in range(random_count):
        yield ''.join(_runs(generator))


def _runs(generator: random.Random) -> Iterator[str]:
    """Runs of characters, each from one range, now and then one of them many times."""
    for _ in range(generator.randint(1, 8)):
        low, high = generator.choice(RANGES)
        characters = [chr(generator.randint(low, high)) for _ in range(generator.randint(1, 10))]
        repeat = generator.choice((1, 1, 1, LONGEST // len(characters)))
        yield ''.join(characters) * repeat
