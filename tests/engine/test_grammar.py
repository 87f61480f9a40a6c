"""Grammars, compared with all the strings that they stand for."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilevlm_ros.engine.grammar import Expression
from mobilevlm_ros.engine.grammar_numbers import Number
from mobilevlm_ros.engine.schema import parse_schema
from tests.engine.schemas import SCHEMAS


def strings(expression: Expression) -> set[bytes]:
    """All of them, walked byte by byte."""
    found = {b''} if expression.accepts else set()
    for byte in expression.firsts():
        after = expression.step(byte)
        assert after is not None
        found |= {bytes((byte,)) + rest for rest in strings(after)}
    return found


def walk(expression: Expression, text: bytes) -> Expression | None:
    for byte in text:
        after = expression.step(byte)
        if after is None:
            return None
        expression = after
    return expression


@settings(deadline=None)
@given(st.integers(-130, 130), st.integers(0, 60))
def test_integers_are_all_those_within_the_bounds(low: int, size: int) -> None:
    found = strings(Number(low, low + size))
    assert {int(text) for text in found - {b'-0'}} == set(range(low, low + size + 1)) - (
        set() if b'0' in found else {0}
    )
    assert (b'0' in found) == (low <= 0 <= low + size)


@settings(max_examples=50, deadline=None)
@given(st.integers(-250, 250), st.integers(0, 60))
def test_numbers_are_all_those_within_the_bounds(low: int, size: int) -> None:
    found = strings(Number(low, low + size, 2))
    values = {round(float(text) * 100) for text in found}
    assert values == set(range(low, low + size + 1))
    for text in found:
        json.loads(text)


def test_an_object_has_its_required_properties_in_order() -> None:
    one = {'const': 1}
    schema = {'properties': {'a': one, 'b': one, 'c': one}, 'required': ['b'], 'type': 'object'}
    assert strings(parse_schema(json.dumps(schema))) == {
        b'{"b":1}',
        b'{"a":1,"b":1}',
        b'{"b":1,"c":1}',
        b'{"a":1,"b":1,"c":1}',
    }


def test_an_array_has_as_many_items_as_allowed() -> None:
    schema = {'type': 'array', 'items': {'enum': [1, 12]}, 'minItems': 1, 'maxItems': 2}
    expected = {b'[1]', b'[12]', b'[1,1]', b'[1,12]', b'[12,1]', b'[12,12]'}
    assert strings(parse_schema(json.dumps(schema))) == expected


def test_options_that_begin_alike_go_on_together() -> None:
    schema = {'anyOf': [{'enum': ['to', 'top', 1]}, {'const': 'tin'}, {'const': 17}]}
    expected = {b'"to"', b'"top"', b'1', b'"tin"', b'17'}
    assert strings(parse_schema(json.dumps(schema))) == expected


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=['Cs']), max_size=6))
def test_a_string_takes_every_text_and_counts_its_characters(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False).encode()
    fits = walk(parse_schema(json.dumps({'type': 'string', 'maxLength': 4})), written)
    assert (fits is not None and fits.accepts) == (len(text) <= 4 and b'\\u' not in written)


@pytest.mark.parametrize(
    'bad', [b'\n', b'\x00', b'\xff', b'\x80', b'\xc0\x80', b'\xe0\x80', b'\xed\xa0', b'\xf4\x90']
)
def test_a_string_takes_no_bytes_that_are_not_characters(bad: bytes) -> None:
    assert walk(parse_schema('{"type": "string"}'), b'"a' + bad) is None


@settings(max_examples=60, deadline=None)
@given(SCHEMAS, st.data())
def test_from_every_place_the_closing_leads_to_the_end(schema: str, data: st.DataObject) -> None:
    rest = parse_schema(schema)
    for _ in range(data.draw(st.integers(0, 25))):
        end = walk(rest, rest.closing())
        assert end is not None and end.accepts
        firsts = sorted(rest.firsts())
        assert firsts == [byte for byte in range(256) if rest.step(byte) is not None]
        if not firsts:
            break
        rest = walk(rest, bytes((data.draw(st.sampled_from(firsts)),))) or rest
