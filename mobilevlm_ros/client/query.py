"""Keyword arguments to a Query."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import rclpy.time
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from mobilevlm_ros.client.fields import binary, fitted, items, real, shown, whole, wrong
from mobilevlm_ros.client.values import BadValueError
from mobilevlm_ros.msg import Query

MAX_AGE_S = 2.0  # of an image, unless the asker says otherwise
LEAST_S = 0.001  # that a deadline may be
LONGEST_S = 2**31 - 1  # that a Duration holds; as max_age, any age
FIELDS = Query.get_fields_and_field_types()
FRAMES = {name: getattr(Query, name) for name in ('HELD', 'NEWEST', 'NEXT', 'STAMP')}
CORNERS = ('x_offset', 'y_offset', 'width', 'height')


def make_query(question: str, deadline_s: float, fields: dict[str, Any]) -> Query:
    """The message.

    Args:
        question: in words.
        deadline_s: from the request's arrival.
        fields: of msg/Query by name. `max_age` is in seconds, math.inf for any age, 0 for the
            node's default; without it MAX_AGE_S, unless `stamp` or `image` says which image.
            `frame` may be a name (`'NEWEST'`), `stamp` nanoseconds, `roi` four numbers, and
            `image` the bytes of a JPEG or PNG file.

    Raises:
        BadValueError: naming the field, what was expected and what was found.
    """
    if 'deadline' in fields:
        raise BadValueError('deadline is not taken; give deadline_s, in seconds')
    if unknown := fields.keys() - FIELDS.keys():
        raise BadValueError(
            f'no field {", ".join(sorted(unknown))}; there is {", ".join(FIELDS)}'
        )
    query = Query(deadline=_duration(real(deadline_s, 'deadline_s', LEAST_S, LONGEST_S)))
    named = 'stamp' in fields or 'image' in fields
    limits = {} if named else {'max_age': MAX_AGE_S}
    for name, value in {'question': question, **limits, **fields}.items():
        setattr(query, name, _CONVERTERS.get(name, partial(_fitted, name))(value))
    return query


def _fitted(name: str, value: Any) -> Any:
    return fitted(value, FIELDS[name], name, getattr(Query(), name))


def _duration(seconds: float) -> Duration:
    whole_s, rest = divmod(math.ceil(seconds * 1e9), 1_000_000_000)
    return Duration(sec=whole_s, nanosec=rest)


def _max_age(value: Any) -> Duration:
    if isinstance(value, float) and value == math.inf:
        return Duration(sec=LONGEST_S)
    return _duration(real(value, 'max_age', 0, LONGEST_S))


def _frame(value: Any) -> int:
    if not isinstance(value, str):
        return whole(value, 'frame', min(FRAMES.values()), max(FRAMES.values()))
    if value.upper() not in FRAMES:
        raise BadValueError(f'frame is {shown(value)}; it must be one of {", ".join(FRAMES)}')
    return int(FRAMES[value.upper()])


def _stamp(value: Any) -> Any:
    if isinstance(value, float | str):
        raise wrong('stamp', 'a Time or whole nanoseconds', value)
    if isinstance(value, rclpy.time.Time):
        value = value.to_msg()
    elif not isinstance(value, Time):
        sec, nanosec = divmod(whole(value, 'stamp', 0, LONGEST_S * 10**9), 10**9)
        value = Time(sec=sec, nanosec=nanosec)
    return _fitted('stamp', value)


def _roi(value: Any) -> Any:
    if isinstance(value, RegionOfInterest):
        return _fitted('roi', value)
    expected = f'a RegionOfInterest or {", ".join(CORNERS)}'
    numbers = items(value, 'roi', expected)
    if len(numbers) != len(CORNERS):
        raise wrong('roi', expected, value)
    named = zip(CORNERS, numbers, strict=True)
    return RegionOfInterest(**{n: whole(v, f'roi.{n}', 0, 2**32 - 1) for n, v in named})


def _image(value: Any) -> Any:
    if not isinstance(value, CompressedImage):
        expected = 'a CompressedImage or the bytes of a JPEG or PNG file'
        value = CompressedImage(data=binary(value, 'image', expected))
    image = _fitted('image', value)
    if not image.data:
        raise BadValueError('image is empty; without image, the question is about the camera')
    return image


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    'max_age': _max_age,
    'frame': _frame,
    'stamp': _stamp,
    'roi': _roi,
    'image': _image,
}
