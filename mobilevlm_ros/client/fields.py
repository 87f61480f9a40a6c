"""Values as the fields of a message take them.

A message takes any value, and one of a wrong type ends the process when the message is sent. So
every value is converted and checked before it reaches one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Mapping
from functools import partial, wraps
from numbers import Integral, Real
from reprlib import Repr
from typing import Any, TypeVar

import numpy as np

from mobilevlm_ros.client.values import BadValueError

Found = TypeVar('Found')
LARGEST_FLOAT = 3.4028234663852886e38  # of 32 bits

_repr = Repr()
_repr.maxstring = _repr.maxother = 60


def fitted(value: Any, kind: str, name: str, default: Any) -> Any:
    """The value as a field takes it.

    Args:
        value: of any type; numbers of numpy are numbers too.
        kind: of the field, as `get_fields_and_field_types` names it.
        name: of the field, for errors.
        default: what the field has in a new message.

    Raises:
        BadValueError: naming the field, what was expected and what was found.
    """
    if kind in _CONVERTERS:
        return _CONVERTERS[kind](value, name)
    return _message(value, type(default), name)


def wrong(name: str, expected: str, value: Any) -> BadValueError:
    """The error for a value of a type that does not fit."""
    return BadValueError(
        f'{name} must be {expected}, not {shown(value)} of type {type(value).__name__}'
    )


def shown(value: Any) -> str:
    """A value in one short line."""
    try:
        return ' '.join(_repr.repr(value).split())
    except Exception:  # such as a number of too many digits
        return 'one that cannot be shown'


def _readable(convert: Callable[..., Found]) -> Callable[..., Found]:
    """The converter, for values too that raise anything while they are read."""

    @wraps(convert)
    def converted(value: Any, name: str, *args: Any, **options: Any) -> Found:
        try:
            return convert(value, name, *args, **options)
        except BadValueError:
            raise
        except Exception as error:
            raise BadValueError(
                f'{name} cannot be read: its type {type(value).__name__} raises '
                f'{type(error).__name__}'
            ) from error

    return converted


@_readable
def text(value: Any, name: str) -> str:
    """A string that ROS can carry."""
    if not isinstance(value, str):
        raise wrong(name, 'a str', value)
    if '\0' in value:
        raise BadValueError(f'{name} has a NUL character, which would end it on its way')
    try:
        return value.encode().decode()
    except UnicodeEncodeError as error:
        raise BadValueError(f'{name} must be valid Unicode, not {shown(value)}') from error


@_readable
def items(value: Any, name: str, expected: str) -> list[Any]:
    """The items of a list, tuple, set or array."""
    if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
        try:
            return list(value)
        except TypeError:  # an array without dimensions
            pass
    raise wrong(name, expected, value)


def texts(value: Any, name: str) -> list[str]:
    """The texts of a list, tuple, set or array."""
    found = items(value, name, 'a list of str')
    return [text(one, f'{name}[{index}]') for index, one in enumerate(found)]


@_readable
def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number in [low, high]."""
    number = _number(value, Integral, name, 'a whole number')
    if not low <= number <= high:
        raise BadValueError(f'{name} is {shown(number)}; it must be in [{low}, {high}]')
    return int(number)


@_readable
def real(value: Any, name: str, low: float = -LARGEST_FLOAT, high: float = LARGEST_FLOAT) -> float:
    """A finite number in [low, high]."""
    number = _number(value, Real, name, 'a number')
    if not low <= number <= high:  # nor if it is not a number
        bounds = 'finite' if low == -high else f'in [{low:g}, {high:g}]'
        raise BadValueError(f'{name} is {shown(number)}; it must be {bounds}')
    return float(number)


@_readable
def binary(value: Any, name: str, expected: str = 'bytes') -> array[int]:
    """The bytes of what has some in one row: bytes, an array of uint8, and so on."""
    try:
        found = memoryview(value)
    except (TypeError, ValueError) as error:  # the latter for numpy's times, or what was closed
        raise wrong(name, expected, value) from error
    if found.itemsize != 1 or found.ndim != 1:
        raise wrong(name, expected, value)
    return array('B', bytes(found))


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, 'True or False', value)
    return value


def _message(value: Any, kind: type[Any], name: str) -> Any:
    """A message with the same values, each of them checked."""
    if not isinstance(value, kind):
        raise wrong(name, f'a {kind.__name__}', value)
    copy = kind()
    for field, described in kind.get_fields_and_field_types().items():
        found = getattr(value, field)
        setattr(copy, field, fitted(found, described, f'{name}.{field}', getattr(copy, field)))
    return copy


def _number(value: Any, kind: type[Any], name: str, expected: str) -> Any:
    """The number itself, where it is one of numpy.

    numpy's durations would pass for numbers, whatever their unit is, and a masked value for zero.
    """
    if getattr(getattr(value, 'dtype', None), 'kind', '') in ('m', 'M') or value is np.ma.masked:
        raise wrong(name, expected, value)
    number = value.item() if getattr(value, 'ndim', None) == 0 else value
    if isinstance(number, bool) or not isinstance(number, kind):
        raise wrong(name, expected, value)
    return number


_CONVERTERS: dict[str, Callable[[Any, str], Any]] = {
    'string': text,
    'boolean': _flag,
    'float': real,
    'sequence<string>': texts,
    'sequence<uint8>': binary,
    'int32': partial(whole, low=-(2**31), high=2**31 - 1),
    'uint8': partial(whole, low=0, high=2**8 - 1),
    'uint32': partial(whole, low=0, high=2**32 - 1),
}
