"""The series of all fuzzed messages, which follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.msg import Query
from mobilevlm_ros.trials.fuzz import asks, images
from mobilevlm_ros.trials.fuzz.draw import drawn
from mobilevlm_ros.trials.fuzz.images import Sent
from mobilevlm_ros.trials.fuzz.run import Fuzzer

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
    image, file = images.good_image(0).data, images.good_file(0).data
    fields, files = drawn(images.image_fields(), seed), drawn(images.file_fields(), seed)
    found = {
        'Image, fields': images.from_messages(fields),
        'Image, bytes': images.from_bytes(rng, image, Image),
        'CompressedImage, fields': images.from_messages(files),
        'CompressedImage, bytes': images.from_bytes(rng, file, CompressedImage),
        'CompressedImage, file': images.from_files(rng),
    }
    return {kind: _shown(kind, sent) for kind, sent in found.items()}


def _shown(kind: str, images: Iterator[Sent]) -> Iterator[Send]:
    cameras = ('front', 'left') if kind.startswith('Image') else ('rear', 'right')
    for sent in images:
        yield partial(Fuzzer.send_image, kind=kind, cameras=cameras, sent=sent)


def _asks(rng: random.Random, seed: int) -> dict[str, Iterator[Send]]:
    found = {
        'Ask, fields': drawn(asks.queries(), seed),
        'Ask, bytes': asks.from_bytes(rng),
        'Ask, file': asks.about_files(rng),
    }
    return {kind: _asked(kind, queries) for kind, queries in found.items()}


def _asked(kind: str, queries: Iterator[Query]) -> Iterator[Send]:
    for query in queries:
        yield partial(Fuzzer.send_query, kind=kind, query=query)
