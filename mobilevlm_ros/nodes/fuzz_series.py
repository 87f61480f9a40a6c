"""The series of all fuzzed messages, which follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.msg import Query
from mobilevlm_ros.nodes import fuzz_asks, fuzz_images
from mobilevlm_ros.nodes.fuzz_draw import drawn
from mobilevlm_ros.nodes.fuzz_images import Sent
from mobilevlm_ros.nodes.fuzz_run import Fuzzer

Send = Callable[[Fuzzer], None]

SHARES = {  # of 20
    'Image, fields': 3,
    'Image, bytes': 4,
    'CompressedImage, fields': 1,
    'CompressedImage, bytes': 2,
    'CompressedImage, file': 3,
    'Ask, fields': 4,
    'Ask, bytes': 2,
    'Ask, file': 1,
}


def series(seed: int) -> Iterator[Send]:
    """What to send, for ever."""
    rng = random.Random(seed)
    sends: Mapping[str, Iterator[Send]] = {**_images(rng, seed), **_asks(rng, seed)}
    kinds, shares = list(SHARES), list(SHARES.values())
    while True:
        yield next(sends[rng.choices(kinds, shares)[0]])


def _images(rng: random.Random, seed: int) -> dict[str, Iterator[Send]]:
    image, file = fuzz_images.good_image(0).data, fuzz_images.good_file(0).data
    fields, files = drawn(fuzz_images.image_fields(), seed), drawn(fuzz_images.file_fields(), seed)
    found = {
        'Image, fields': fuzz_images.from_messages(fields),
        'Image, bytes': fuzz_images.from_bytes(rng, image, Image),
        'CompressedImage, fields': fuzz_images.from_messages(files),
        'CompressedImage, bytes': fuzz_images.from_bytes(rng, file, CompressedImage),
        'CompressedImage, file': fuzz_images.from_files(rng),
    }
    return {kind: _shown(kind, sent) for kind, sent in found.items()}


def _shown(kind: str, images: Iterator[Sent]) -> Iterator[Send]:
    cameras = ('front', 'left') if kind.startswith('Image') else ('rear', 'right')
    for sent in images:
        yield partial(Fuzzer.send_image, kind=kind, cameras=cameras, sent=sent)


def _asks(rng: random.Random, seed: int) -> dict[str, Iterator[Send]]:
    found = {
        'Ask, fields': drawn(fuzz_asks.queries(), seed),
        'Ask, bytes': fuzz_asks.from_bytes(rng),
        'Ask, file': fuzz_asks.about_files(rng),
    }
    return {kind: _asked(kind, queries) for kind, queries in found.items()}


def _asked(kind: str, queries: Iterator[Query]) -> Iterator[Send]:
    for query in queries:
        yield partial(Fuzzer.send_query, kind=kind, query=query)
