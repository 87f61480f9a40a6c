"""Queries that cannot be meant, field by field."""

import math
import re

import pytest
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from mobilevlm_ros.engine import Question, QuestionError
from mobilevlm_ros.msg import Query
from mobilevlm_ros.nodes.conversions import query_to_question

GIVEN = {
    'camera': 'front', 'session': 'tour', 'frame': Query.NEWEST, 'stamp': Time(sec=1),
    'max_age': Duration(sec=1), 'roi': RegionOfInterest(width=4, height=4),
    'image': CompressedImage(format='jpeg', data=b'1'), 'choices': ['yes', 'no'],
    'json_schema': '{"type": "integer"}', 'min_probability': 0.5, 'max_tokens': 5,
    'temperature': 0.5, 'top_p': 0.5, 'repeat_penalty': 1.5, 'seed': 7, 'stop': ['.'],
    'deadline': Duration(sec=1), 'priority': 3,
}  # fmt: skip
NEEDS = {  # of a field: what has to come with it
    'stamp': {'frame': Query.STAMP}, 'min_probability': {'choices': ['yes', 'no']},
    'top_p': {'temperature': 0.5}, 'seed': {'temperature': 0.5},
}  # fmt: skip
CLASHES = {
    *(('choices', name) for name in (
        'json_schema', 'max_tokens', 'temperature', 'top_p', 'repeat_penalty', 'seed', 'stop',
    )),
    ('json_schema', 'stop'), ('json_schema', 'min_probability'),
    *(('image', name) for name in ('camera', 'frame', 'stamp', 'max_age')),
    *((name, 'min_probability') for name in (
        'max_tokens', 'temperature', 'top_p', 'repeat_penalty', 'seed', 'stop',
    )),
}  # fmt: skip
PAIRS = [(a, b) for i, a in enumerate(GIVEN) for b in list(GIVEN)[i + 1 :]]


def query(*names, **fields):
    """With these fields, and what they need."""
    found = {}
    for name in names:
        found |= {name: GIVEN[name], **NEEDS.get(name, {})}
    return Query(question='Well?', **{**found, **fields})


def test_every_field_of_a_query_is_looked_at():
    assert {'question', *GIVEN} == set(Query.get_fields_and_field_types())


@pytest.mark.parametrize('name', GIVEN)
def test_each_field_alone_is_taken(name):
    query_to_question(query(name), Question('default'))


@pytest.mark.parametrize('first, second', PAIRS)
def test_two_fields_are_taken_together_or_refused_by_name(first, second):
    asked = query(first, second)
    if {(first, second), (second, first)} & CLASHES:
        with pytest.raises(QuestionError) as refusal:
            query_to_question(asked, Question('default'))
        assert str(refusal.value).count(' ') > 5
    else:
        query_to_question(asked, Question('default'))


@pytest.mark.parametrize('first, second', [
    ('choices', 'temperature'), ('choices', 'stop'), ('choices', 'json_schema'),
    ('json_schema', 'stop'), ('image', 'camera'), ('image', 'max_age'),
])  # fmt: skip
def test_a_refusal_names_both_fields(first, second):
    with pytest.raises(QuestionError) as refusal:
        query_to_question(query(first, second), Question('default'))
    assert first in str(refusal.value) and second in str(refusal.value)


@pytest.mark.parametrize('name', ['top_p', 'seed'])
def test_sampling_needs_a_temperature_of_the_query_or_of_the_node(name):
    asked = Query(question='Well?', **{name: GIVEN[name]})
    with pytest.raises(QuestionError, match=f'{name} .* temperature'):
        query_to_question(asked, Question('default'))
    query_to_question(asked, Question('default', temperature=0.5))


@pytest.mark.parametrize('fields, words', [
    ({'frame': Query.STAMP}, 'frame is STAMP, but stamp is zero'),
    ({'stamp': Time(sec=1)}, 'stamp is given, but frame is HELD'),
    ({'stamp': Time(sec=1), 'frame': Query.NEXT}, 'stamp is given, but frame is NEXT'),
    ({'min_probability': 0.5}, 'min_probability is given without choices'),
    ({'min_probability': math.nan, 'choices': ['a', 'b']}, 'min_probability is nan'),
    ({'temperature': math.inf}, 'temperature is inf'),
    ({'temperature': -math.inf}, 'temperature is -inf'),
    ({'top_p': math.nan, 'temperature': 1.0}, 'top_p is nan'),
    ({'repeat_penalty': math.nan}, 'repeat_penalty is nan'),
    ({'repeat_penalty': 0.5}, 'repeat_penalty is 0.5'),
    ({'repeat_penalty': -1.0}, 'repeat_penalty is -1'),
    ({'max_age': Duration(sec=-1)}, 'max_age is negative'),
    ({'deadline': Duration(sec=-1, nanosec=999_999_999)}, 'deadline is negative'),
    ({'deadline': Duration(nanosec=10**9)}, 'deadline.nanosec is 1000000000'),
    ({'max_age': Duration(nanosec=2**32 - 1)}, 'max_age.nanosec is 4294967295'),
    ({'stamp': Time(nanosec=10**9), 'frame': Query.STAMP}, 'stamp.nanosec is 1000000000'),
    ({'roi': RegionOfInterest(width=4, height=4, do_rectify=True)}, 'roi.do_rectify'),
    ({'roi': RegionOfInterest(do_rectify=True)}, 'roi.do_rectify'),
    ({'roi': RegionOfInterest(x_offset=4)}, 'region'),
    ({'image': CompressedImage(format='jpeg')}, "image has the format 'jpeg', but no data"),
    ({'stop': ['.', '']}, 'stop has an empty text'),
    ({'stop': ['x'] * 17}, 'stop may hold 16'),
    ({'frame': 4}, 'frame is 4'),
    ({'session': 'x' * 257}, 'session has 257'),
])  # fmt: skip
def test_values_that_cannot_be_meant_are_refused_by_name(fields, words):
    with pytest.raises(QuestionError, match=re.escape(words)):
        query_to_question(Query(question='Well?', **fields), Question('default'))


def test_the_longest_durations_are_taken():
    longest = Duration(sec=2**31 - 1, nanosec=999_999_999)
    question = query_to_question(Query(question='Well?', max_age=longest, deadline=longest))
    assert question.max_age_s == question.deadline_s == 2**31 - 1 + 0.999999999
