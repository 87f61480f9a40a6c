"""JSON schemas to grammars: a small, bounded part of the language, and no more.

What is not listed here is refused with the path to it, so that no schema costs more time or
memory than its size allows, and none is obeyed in part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, NoReturn

from mobilevlm_ros.engine.errors import QuestionError
from mobilevlm_ros.engine.grammar import (
    Expression,
    any_of,
    json_array,
    json_object,
    literal,
    member,
)
from mobilevlm_ros.engine.grammar_numbers import Number
from mobilevlm_ros.engine.grammar_strings import json_string

MOST_BYTES = 16384  # of a schema
MOST_DEPTH = 8  # of schemas in schemas
MOST_PROPERTIES = 32  # of one object
MOST_OPTIONS = 64  # of an enum or an anyOf
LONGEST_NAME = 128  # characters of a property's name or of a text in an enum
LONGEST_STRING = 1024  # characters; what maxLength may be
DEFAULT_STRING = 256
MOST_ITEMS = 64  # what maxItems may be
DEFAULT_ITEMS = 16
LARGEST = 10**15  # magnitude of a number
LONGEST_NUMBER = 20  # characters: Decimal reckons exactly with so many digits
PLACES = 6  # decimal places of a number
LONGEST_SHORTEST = 4096  # bytes of the shortest document

_NOTES = frozenset(('title', 'description', '$schema'))
_KEYWORDS = {
    'object': frozenset(('properties', 'required', 'additionalProperties')),
    'array': frozenset(('items', 'minItems', 'maxItems')),
    'string': frozenset(('maxLength',)),
    'integer': frozenset(('minimum', 'maximum')),
    'number': frozenset(('minimum', 'maximum')),
    'boolean': frozenset[str](),
    'null': frozenset[str](),
}


def parse_schema(text: str) -> Expression:
    """The grammar of all compact documents that fit the schema and its bounds.

    Raises:
        QuestionError: if the schema is no JSON, or says what is not served; its message has the
            path to the place, `$.properties.colour.pattern` for one.
    """
    return _schema(_load(text), '$', MOST_DEPTH)


class _Members(list[tuple[str, Any]]):
    """An object as it is written, keys that occur twice included."""


def _load(text: str) -> Any:
    if len(text) > MOST_BYTES or len(_encoded(text, '$')) > MOST_BYTES:
        _refuse('$', f'the schema is too long; {MOST_BYTES} bytes are allowed')
    try:
        return json.loads(
            text,
            object_pairs_hook=_Members,
            parse_float=Decimal,
            parse_constant=_no_number,
        )
    except RecursionError:
        _refuse('$', f'it is nested too deeply; {MOST_DEPTH} schemas in schemas are allowed')
    except (ValueError, ArithmeticError) as error:
        _refuse('$', f'it is not JSON: {error}')


def _schema(value: Any, path: str, depth: int) -> Expression:
    fields = _fields(value, path)
    if depth <= 0:
        _refuse(path, f'it is nested too deeply; {MOST_DEPTH} schemas in schemas are allowed')
    listed = next((name for name in ('enum', 'const', 'anyOf') if name in fields), '')
    if listed:
        grammar = _listed(listed, fields, path, depth)
    elif 'type' in fields:
        grammar = _typed(fields, path, depth)
    else:
        _refuse(path, 'one of type, enum, const and anyOf is needed')
    if (size := len(grammar.closing())) > LONGEST_SHORTEST:
        _refuse(path, f'its shortest document has {size} bytes, {LONGEST_SHORTEST} are allowed')
    return grammar


def _listed(kind: str, fields: Mapping[str, Any], path: str, depth: int) -> Expression:
    """What enum, const or anyOf lists; a type beside a constant has to be its own."""
    _allow(fields, path, frozenset((kind,) if kind == 'anyOf' else (kind, 'type')))
    values = [fields[kind]] if kind == 'const' else fields[kind]
    if type(values) is not list or not 1 <= len(values) <= MOST_OPTIONS:
        _refuse(f'{path}.{kind}', f'it must be a list of 1 to {MOST_OPTIONS}')
    places = [(item, f'{path}.{kind}[{at}]') for at, item in enumerate(values)]
    if kind == 'anyOf':
        return any_of(*(_schema(item, place, depth - 1) for item, place in places))
    if any(fields.get('type', _type_of(item)) != _type_of(item) for item in values):
        _refuse(f'{path}.type', f'not every value of {kind} is of this type')
    return any_of(*(_constant(item, place) for item, place in places))


def _type_of(value: Any) -> str:
    names = {str: 'string', int: 'integer', Decimal: 'number', bool: 'boolean'}
    return names.get(type(value), 'null')


def _typed(fields: Mapping[str, Any], path: str, depth: int) -> Expression:
    kind = fields['type']
    if type(kind) is not str or kind not in _KEYWORDS:
        _refuse(f'{path}.type', f'it must be one of {", ".join(_KEYWORDS)}')
    _allow(fields, path, _KEYWORDS[kind] | {'type'})
    makers: dict[str, Callable[[], Expression]] = {
        'object': lambda: _object(fields, path, depth),
        'array': lambda: _array(fields, path, depth),
        'string': lambda: json_string(
            _count(fields, 'maxLength', path, DEFAULT_STRING, LONGEST_STRING)
        ),
        'integer': lambda: _number(fields, path, 0),
        'number': lambda: _number(fields, path, PLACES),
        'boolean': lambda: any_of(literal(True), literal(False)),
        'null': lambda: literal(None),
    }
    return makers[kind]()


def _object(fields: Mapping[str, Any], path: str, depth: int) -> Expression:
    if fields.get('additionalProperties', False) is not False:
        _refuse(f'{path}.additionalProperties', 'only false is allowed')
    properties = _fields(fields.get('properties', _Members()), f'{path}.properties')
    if len(properties) > MOST_PROPERTIES:
        _refuse(f'{path}.properties', f'{MOST_PROPERTIES} properties are allowed')
    required = fields.get('required', [])
    if type(required) is not list or any(type(name) is not str for name in required):
        _refuse(f'{path}.required', 'it must be a list of names')
    for name in required:
        if name not in properties:
            _refuse(f'{path}.required', f'{name[:40]!r} is not among the properties')
    return json_object(
        *(
            member(name, _schema(value, f'{path}.properties.{name}', depth - 1), name in required)
            for name, value in properties.items()
        )
    )


def _array(fields: Mapping[str, Any], path: str, depth: int) -> Expression:
    if 'items' not in fields:
        _refuse(path, 'an array needs items')
    least = _count(fields, 'minItems', path, 0, MOST_ITEMS)
    most = _count(fields, 'maxItems', path, max(least, DEFAULT_ITEMS), MOST_ITEMS)
    if least > most:
        _refuse(f'{path}.minItems', f'it is {least}, more than maxItems, {most}')
    return json_array(_schema(fields['items'], f'{path}.items', depth - 1), least, most)


def _number(fields: Mapping[str, Any], path: str, places: int) -> Expression:
    low = _bound(fields, 'minimum', path, -LARGEST)
    high = _bound(fields, 'maximum', path, LARGEST)
    least = int((low * 10**places).to_integral_value(ROUND_CEILING))
    most = int((high * 10**places).to_integral_value(ROUND_FLOOR))
    if least > most:
        _refuse(path, f'no number with {places} decimal places lies between {low} and {high}')
    return Number(least, most, places)


def _bound(fields: Mapping[str, Any], name: str, path: str, default: int) -> Decimal:
    value = fields.get(name, default)
    if type(value) not in (int, Decimal):
        _refuse(f'{path}.{name}', 'it must be a number')
    return Decimal(_number_within(value, f'{path}.{name}'))


def _count(fields: Mapping[str, Any], name: str, path: str, default: int, most: int) -> int:
    value = fields.get(name, default)
    if type(value) is not int or not 0 <= value <= most:
        _refuse(f'{path}.{name}', f'it must be a whole number from 0 to {most}')
    return int(value)


def _constant(value: Any, path: str) -> Expression:
    if type(value) is str:
        return literal(_name(value, path))
    if type(value) in (int, Decimal):
        number = _number_within(value, path)
        return literal(number if type(number) is int else float(number))
    if value is None or type(value) is bool:
        return literal(value)
    _refuse(path, 'only texts, numbers, true, false and null are allowed')


def _number_within(value: int | Decimal, path: str) -> int | Decimal:
    """The number, which is so small and so short that reckoning with it takes no time."""
    if not -LARGEST <= value <= LARGEST or len(str(value)) > LONGEST_NUMBER:
        _refuse(
            path,
            f'numbers from {-LARGEST} to {LARGEST} of {LONGEST_NUMBER} characters are allowed',
        )
    return value


def _fields(value: Any, path: str) -> dict[str, Any]:
    """A JSON object whose keys are few, short and occur once."""
    if not isinstance(value, _Members):
        _refuse(path, 'an object is needed here')
    fields = dict(value)
    for name in fields:
        _name(name, path)
    if len(fields) < len(value):
        names = [name for name, _ in value]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f'{path}.{twice}', 'it is there twice')
    return fields


def _allow(fields: Mapping[str, Any], path: str, keywords: frozenset[str]) -> None:
    for name, value in fields.items():
        if name in _NOTES:
            if type(value) is not str:
                _refuse(f'{path}.{name}', 'it must be a text')
        elif name not in keywords:
            allowed = ', '.join(sorted(keywords | _NOTES))
            _refuse(f'{path}.{name}', f'this keyword is not served here; allowed are {allowed}')


def _name(text: str, path: str) -> str:
    if len(text) > LONGEST_NAME:
        _refuse(path, f'{text[:20]!r}... is too long; {LONGEST_NAME} characters are allowed')
    _encoded(text, path)
    return text


def _encoded(text: str, path: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        _refuse(path, f'it is not valid Unicode: {error.reason}')


def _no_number(name: str) -> NoReturn:
    raise ValueError(f'{name} is no number of JSON')


def _refuse(path: str, reason: str) -> NoReturn:
    raise QuestionError(f'json_schema, {path}: {reason}')
