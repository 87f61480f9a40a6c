"""Queries that cannot be meant: fields that nothing could come of together with others.

No field of a Query is ever ignored, so they are refused, and the message names both fields.
"""

from __future__ import annotations

from typing import Any

from mobilevlm_ros.engine import QuestionError
from mobilevlm_ros.msg import Query

FRAMES = ('HELD', 'NEWEST', 'NEXT', 'STAMP')  # by number

# What has no effect with a field, and why.
CLASHES = {
    'choices': (
        ('json_schema', 'max_tokens', 'temperature', 'top_p', 'repeat_penalty', 'seed', 'stop'),
        'choices are scored, and nothing is generated',
    ),
    'json_schema': (('stop',), 'the document ends where the schema says'),
    'image': (('camera', 'frame', 'stamp', 'max_age'), 'the question is about that image alone'),
}
SAMPLING = ('top_p', 'seed')  # of no effect where the likeliest token is always taken
DURATIONS = ('max_age', 'deadline')
SECOND_NS = 1_000_000_000


def check_query(query: Query, temperature: float) -> None:
    """Refuse what cannot be meant.

    Args:
        query: the message.
        temperature: the node's, where the query has none.

    Raises:
        QuestionError: naming the fields.
    """
    _check_values(query)
    for name, (others, reason) in CLASHES.items():
        if not is_given(query, name):
            continue
        for other in others:
            if is_given(query, other):
                raise QuestionError(
                    f'{name} and {other} are both given, but {reason}: leave one out'
                )
    if query.min_probability and not query.choices:
        raise QuestionError('min_probability is given without choices, which it is about')
    _check_stamp(query)
    for name in SAMPLING:
        if getattr(query, name) and not (query.temperature or temperature):
            raise QuestionError(
                f'{name} is given, but temperature is 0, greedy: give a temperature above 0 too'
            )


def is_given(query: Query, name: str) -> bool:
    """Whether a field says something; zero and empty do not."""
    value: Any = getattr(query, name)
    if name == 'image':
        return len(value.data) > 0
    if name in (*DURATIONS, 'stamp'):
        return bool(value.sec or value.nanosec)
    return bool(value)


def _check_values(query: Query) -> None:
    if query.frame >= len(FRAMES):
        raise QuestionError(f'frame is {query.frame}; it is HELD, NEWEST, NEXT or STAMP (0 to 3)')
    for name in (*DURATIONS, 'stamp'):
        if getattr(query, name).nanosec >= SECOND_NS:
            raise QuestionError(
                f'{name}.nanosec is {getattr(query, name).nanosec}; it must be below {SECOND_NS}'
            )
    for name in DURATIONS:
        if getattr(query, name).sec < 0:
            raise QuestionError(f'{name} is negative; it must be a duration, or zero')
    if query.roi.do_rectify:
        raise QuestionError('roi.do_rectify is true; images are not rectified here')
    if query.image.format and not query.image.data:
        raise QuestionError(
            f'image has the format {query.image.format!r}, but no data; send a whole JPEG or PNG'
        )
    if '' in query.stop:
        raise QuestionError('stop has an empty text, which is everywhere; leave it out')


def _check_stamp(query: Query) -> None:
    names_stamp = query.frame == Query.STAMP
    if names_stamp and not is_given(query, 'stamp'):
        raise QuestionError('frame is STAMP, but stamp is zero: give the stamp of a frame')
    if is_given(query, 'stamp') and not names_stamp:
        raise QuestionError(
            f'stamp is given, but frame is {FRAMES[query.frame]}: give frame STAMP (3) with it'
        )
