"""Keyword arguments to a Query."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Duration

from mobilevlm_ros.msg import Query

_DURATIONS = ('max_age', 'deadline')
FIELDS = tuple(Query.get_fields_and_field_types())


def make_query(question: str, deadline_s: float, fields: dict[str, Any]) -> Query:
    """The message.

    Args:
        question: in words.
        deadline_s: from the request's arrival.
        fields: of msg/Query by name; `max_age` in seconds; `frame` as Query.NEWEST and so on.

    Raises:
        TypeError: naming a field that there is not.
        AssertionError: from rclpy, if a value does not fit its field.
    """
    unknown = fields.keys() - set(FIELDS)
    if unknown:
        raise TypeError(f'no field {", ".join(sorted(unknown))}; there is {", ".join(FIELDS)}')
    query = Query(question=question)
    for name, value in {**fields, 'deadline': deadline_s}.items():
        value = _duration(value) if name in _DURATIONS else value
        setattr(query, name, list(value) if isinstance(value, tuple) else value)
    return query


def _duration(seconds: float) -> Duration:
    whole, rest = divmod(round(seconds * 1e9), 1_000_000_000)
    return Duration(sec=whole, nanosec=rest)
