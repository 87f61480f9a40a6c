"""Which schemas are taken, and how the others are refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilevlm_ros.engine import QuestionError
from mobilevlm_ros.engine.schema import MOST_BYTES, parse_schema


def nested(depth: int) -> Any:
    schema: Any = {'type': 'boolean'}
    for _ in range(depth):
        schema = {'type': 'array', 'items': schema}
    return schema


def thing(**fields: Any) -> dict[str, Any]:
    return {'type': 'object', 'properties': {'a': fields}}


@pytest.mark.parametrize(
    ('schema', 'shortest'),
    [
        ({'type': 'object'}, '{}'),
        (thing(type='string'), '{}'),
        ({**thing(type='string'), 'required': ['a']}, '{"a":""}'),
        ({'type': 'array', 'items': {'type': 'null'}, 'minItems': 2}, '[null,null]'),
        ({'type': 'integer', 'minimum': 1000}, '1000'),
        ({'type': 'integer', 'minimum': -3.5, 'maximum': -2}, '-2'),
        ({'type': 'number', 'minimum': 1e-05, 'maximum': 0.0001}, '0.0001'),
        ({'type': 'number', 'minimum': 12.5, 'maximum': 12.75}, '12.5'),
        ({'enum': ['left', 'no', 1.5, None]}, '1.5'),
        ({'const': 'é"\n', 'type': 'string', 'title': 'T'}, '"é\\"\\n"'),
        ({'anyOf': [{'type': 'string'}, {'type': 'null'}], 'description': 'D'}, '""'),
        (nested(7), '[]'),
    ],
)
def test_what_is_served(schema: Any, shortest: str) -> None:
    assert parse_schema(json.dumps(schema)).closing().decode() == shortest


@pytest.mark.parametrize(
    ('schema', 'message'),
    [
        (True, r'\$: an object is needed here'),
        ({}, r'\$: one of type, enum, const and anyOf is needed'),
        ({'type': ['string', 'null']}, r'\$\.type: it must be one of object, array'),
        (thing(type='string', pattern='(a*)*b'), r'\$\.properties\.a\.pattern: .* allowed are'),
        (thing(type='string', format='date'), r'\$\.properties\.a\.format: '),
        ({'$ref': '#'}, r'\$: one of type'),
        (thing(**{'type': 'string', '$ref': '#/properties/a'}), r'\$\.properties\.a\.\$ref: '),
        ({'anyOf': [{'type': 'null'}, {'$ref': '#'}]}, r'\$\.anyOf\[1\]: '),
        ({'type': 'object', '$defs': {}}, r'\$\.\$defs: this keyword is not served'),
        ({'type': 'object', 'additionalProperties': True}, r'\.additionalProperties: only false'),
        ({'type': 'object', 'patternProperties': {}}, r'\$\.patternProperties: '),
        ({'type': 'object', 'required': ['b']}, r"\$\.required: 'b' is not among"),
        ({'type': 'object', 'required': 'b'}, r'\$\.required: it must be a list of names'),
        ({'type': 'object', 'properties': []}, r'\$\.properties: an object is needed'),
        ({'type': 'object', 'properties': {str(i): {'type': 'null'} for i in range(33)}}, '32'),
        ({'type': 'object', 'properties': {'n' * 129: {'type': 'null'}}}, 'too long'),
        ({'type': 'array'}, 'an array needs items'),
        ({**nested(1), 'minItems': 3, 'maxItems': 2}, r'\$\.minItems: it is 3, more than'),
        ({**nested(1), 'maxItems': 10**9}, r'\$\.maxItems: .* from 0 to 64'),
        ({**nested(1), 'uniqueItems': True}, r'\$\.uniqueItems: '),
        (nested(8), 'nested too deeply'),
        ({'type': 'string', 'maxLength': 10**6}, r'\$\.maxLength: .* from 0 to 1024'),
        ({'type': 'string', 'maxLength': -1}, r'\$\.maxLength: '),
        ({'type': 'string', 'maxLength': True}, r'\$\.maxLength: '),
        ({'type': 'integer', 'minimum': 10**16}, r'\$\.minimum: numbers from'),
        ({'type': 'integer', 'maximum': '5'}, r'\$\.maximum: it must be a number'),
        ({'type': 'integer', 'minimum': 0.2, 'maximum': 0.8}, 'no number with 0 decimal places'),
        ({'type': 'integer', 'multipleOf': 2}, r'\$\.multipleOf: '),
        ({'enum': []}, r'\$\.enum: it must be a list of 1 to 64'),
        ({'enum': list(range(65))}, r'\$\.enum: it must be a list of 1 to 64'),
        ({'enum': [[1]]}, r'\$\.enum\[0\]: only texts, numbers'),
        ({'enum': ['x' * 129]}, r'\$\.enum\[0\]: .* is too long'),
        ({'enum': ['a', 1], 'type': 'string'}, r'\$\.type: not every value of enum'),
        ({'const': '\ud800'}, 'not valid Unicode'),
        ({'type': 'null', 'title': {}}, r'\$\.title: it must be a text'),
    ],
)
def test_what_is_not_served_is_named_with_its_path(schema: Any, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        parse_schema(json.dumps(schema))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'it is not JSON'),
        ('{"type": "null"} x', 'it is not JSON'),
        ('{"const": NaN}', 'NaN is no number of JSON'),
        ('{"type": "number", "maximum": Infinity}', 'Infinity is no number'),
        ('{"const": 1e999999999}', r'\$\.const\[0\]: numbers from'),
        ('{"const": 1e99999999999999999999999}', 'json_schema'),
        ('{"const": ' + '9' * 5000 + '}', 'it is not JSON'),
        ('{"const": 0.' + '1' * 5000 + '}', r'\$\.const\[0\]: numbers from'),
        ('{"type": "null", "type": "string"}', r'\$\.type: it is there twice'),
        ('[' * 16000, 'nested too deeply'),
        ('{"anyOf":[' * 1600, 'nested too deeply|not JSON'),
        (' ' * 10_000_000, 'the schema is too long'),
        ('é' * (MOST_BYTES - 1), 'the schema is too long'),
        ('\ud800', 'not valid Unicode'),
        ('\x00', 'it is not JSON'),
    ],
)
def test_hostile_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        parse_schema(text)


def test_repeats_of_repeats_are_refused_by_the_size_of_the_shortest_document() -> None:
    schema: Any = {'type': 'boolean'}
    for _ in range(4):
        schema = {'type': 'array', 'items': schema, 'minItems': 64, 'maxItems': 64}
    with pytest.raises(QuestionError, match=r'\$\.items\.items: .* has 20609 bytes, 4096'):
        parse_schema(json.dumps(schema))


KEYWORDS = ['type', 'enum', 'const', 'anyOf', 'items', 'properties', 'required', 'minItems']
KEYS = st.sampled_from([*KEYWORDS, 'maxLength', 'minimum', '$ref', 'a'])
KINDS = st.sampled_from(['object', 'array', 'string', 'number', 'integer'])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | KINDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(JSON.map(json.dumps) | st.text(max_size=30))
def test_every_text_is_taken_or_refused_as_a_question(text: str) -> None:
    try:
        grammar = parse_schema(text)
    except QuestionError as error:
        assert str(error).startswith('json_schema, $')
    else:
        json.loads(grammar.closing())
