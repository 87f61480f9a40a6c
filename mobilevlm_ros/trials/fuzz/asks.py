"""Fuzzed questions: a good one in which some fields are not what they should be."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from builtin_interfaces.msg import Duration, Time
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import RegionOfInterest

from mobilevlm_ros.msg import Query
from mobilevlm_ros.srv import Ask
from mobilevlm_ros.trials.fuzz.damage import damage
from mobilevlm_ros.trials.fuzz.images import damaged_file, encode, file_message, view
from mobilevlm_ros.trials.fuzz.truth import Truth, truth_of

CAMERAS = ('front', 'left', 'rear', 'right', 'good')
QUESTIONS = ('Is the path ahead clear?', 'What is ahead?', 'How many things are there?')
MOST_FIELDS = 3  # that are fuzzed in one query
ENCAPSULATION_BYTES = 4
SCHEMA = {
    'type': 'object',
    'properties': {'clear': {'type': 'boolean'}, 'things': {'type': 'integer', 'maximum': 9}},
    'required': ['clear'],
}
NASTY = (
    '', ' ', '\0', '\n\r\t', '\x1b[2J\x07', '</s>', '<s>[INST]', 'USER: <image>\nASSISTANT:',
    '\ufffd', '\u202eback', '\U0001f916' * 50, 'e\u0301' * 300, 'why ' * 5000, 'x' * 300_000,
    '{}', '%s%n', '../..',
)  # fmt: skip
BAD_SCHEMAS = (
    '{', 'null', '[]', '{"type": "nothing"}', '[' * 50_000, '{"a":' * 20_000, '{"$ref": "#"}',
    '{"type": "string", "pattern": "(a+)+$"}', '{"type": "string", "maxLength": 4294967295}',
    '{"type": "array", "items": {"type": "integer"}, "minItems": 1e9}', '{"enum": []}',
    '{"const": NaN}',
)  # fmt: skip

Draw = Callable[..., Any]

UINTS = st.one_of(st.integers(0, 300), st.sampled_from((2**31 - 1, 2**31, 2**32 - 1)))
SECONDS = st.one_of(st.integers(-2, 3), st.sampled_from((-(2**31), 2**31 - 1)))
NANOSECONDS = st.one_of(st.integers(0, 999_999_999), st.integers(0, 2**32 - 1))
TEXTS = st.one_of(st.sampled_from(QUESTIONS), st.text(), st.sampled_from(NASTY))
FLOATS = st.one_of(st.floats(0, 1, width=32), st.floats(width=32))
DURATIONS = st.builds(lambda s, ns: Duration(sec=s, nanosec=ns), SECONDS, NANOSECONDS)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(('type', 'properties', 'items', 'enum', 'required', 'maxLength')),
            inner,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


def _cut_schema(at: int) -> str:
    return json.dumps(SCHEMA)[:at]


def _choices() -> st.SearchStrategy[list[str]]:
    good = st.sampled_from((['yes', 'no'], ['clear', 'blocked', '?'], ['a', 'a'], [''], ['yes']))
    many = st.sampled_from((100, 5000)).map(lambda count: [str(i) for i in range(count)])
    return st.one_of(good, good, st.lists(TEXTS, max_size=5), many)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    'question': TEXTS,
    'camera': st.one_of(st.sampled_from(CAMERAS), st.sampled_from(CAMERAS), TEXTS),
    'session': st.one_of(st.sampled_from(('a', 'b', 'c')), st.text(), st.sampled_from(NASTY)),
    'frame': st.one_of(st.integers(0, 3), st.integers(0, 255)),
    'stamp': st.builds(
        lambda s, ns: Time(sec=s, nanosec=ns), st.integers(-(2**31), 2**31 - 1), NANOSECONDS
    ),
    'max_age': DURATIONS,
    'deadline': DURATIONS,
    'roi': st.builds(
        lambda x, y, w, h: RegionOfInterest(x_offset=x, y_offset=y, width=w, height=h),
        *[st.one_of(st.integers(0, 80), UINTS)] * 4,
    ),
    'choices': _choices(),
    'json_schema': st.one_of(
        st.just(json.dumps(SCHEMA)), JSON.map(json.dumps), st.integers(0, 60).map(_cut_schema),
        st.sampled_from(BAD_SCHEMAS), TEXTS,
    ),
    'min_probability': FLOATS,
    'max_tokens': UINTS,
    'temperature': FLOATS,
    'top_p': FLOATS,
    'repeat_penalty': FLOATS,
    'seed': UINTS,
    'stop': st.one_of(st.lists(st.text(max_size=4), max_size=4), st.lists(TEXTS, max_size=40)),
    'priority': st.integers(0, 255),
}  # fmt: skip


@st.composite
def queries(draw: Draw) -> Query:
    """A good question, some of whose fields are drawn."""
    query = good_query(draw(st.sampled_from(CAMERAS)), draw(st.sampled_from(QUESTIONS)))
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=MOST_FIELDS)):
        setattr(query, name, draw(FIELDS[name]))
    return query


def good_query(camera: str, question: str = QUESTIONS[0], **fields: Any) -> Query:
    """One that is answered."""
    return Query(question=question, camera=camera, **fields)


def about_files(rng: random.Random) -> Iterator[Query]:
    """Questions about images of their own, whole or damaged."""
    good = file_message(encode(view(False), 'PNG'))
    number = 0
    while True:
        image, truth = damaged_file(rng)
        if rng.random() < 0.2:
            image, truth = good, Truth.GOOD
        yield _with_image(good_query('', image=image), truth, number)
        number += 1


def from_bytes(rng: random.Random) -> Iterator[Query]:
    """Serialised requests, damaged, as far as they can be read at all."""
    small = file_message(encode(view(False)[:16, :16], 'PNG'))
    wholes = [
        good_query('front', choices=['yes', 'no'], session='d'),
        good_query('rear', json_schema=json.dumps(SCHEMA)),
        good_query('right', stop=['.'], temperature=0.5, seed=7),
        good_query('', image=small),
    ]
    serialised = [serialize_message(Ask.Request(query=query)) for query in wholes]
    number = 0
    while True:
        data = damage(rng, rng.choice(serialised), ENCAPSULATION_BYTES)
        try:
            query = deserialize_message(data, Ask.Request).query
        except Exception:  # of a class that rclpy does not export
            continue
        yield _with_image(query, truth_of(query.image), number)
        number += 1


def _with_image(query: Query, truth: Truth, number: int) -> Query:
    seconds, nanoseconds = truth.stamp(number)
    query.image.header.stamp = Time(sec=seconds, nanosec=nanoseconds)
    return query
