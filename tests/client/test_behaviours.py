"""py_trees behaviours over a client that answers as told."""

import math
from concurrent.futures import Future
from dataclasses import replace

import pytest
from py_trees.blackboard import Blackboard
from py_trees.common import Status

from mobilevlm_ros.client import Answer, BadValueError, ClosedError, NoReplyError, RefusedError
from mobilevlm_ros.client.behaviours import VlmAsk, VlmCondition


class Told:
    """Keeps what was asked, and futures for the test to answer."""

    def __init__(self):
        self.asked = []
        self.futures = []

    def submit(self, question, deadline_s, **fields):
        self.asked.append((question, deadline_s, fields))
        self.futures.append(Future())
        return self.futures[-1]


def answer(choice=None, text='', abstained=False):
    probabilities = {'yes': 0.8, 'no': 0.2} if choice or abstained else {}
    return Answer(text, 0, '', '', 'choice', probabilities, choice, abstained)


@pytest.fixture
def told():
    return Told()


def test_ticks_do_not_wait_and_do_not_ask_again(told):
    behaviour = VlmAsk('ask', told, 'What is ahead?', deadline_s=2.0, camera='front')
    for _ in range(5):
        behaviour.tick_once()
        assert behaviour.status == Status.RUNNING
    assert told.asked == [('What is ahead?', 2.0, {'camera': 'front'})]


def test_the_answer_lands_on_the_blackboard(told):
    behaviour = VlmAsk('ask', told, 'What is ahead?', key='ahead')
    behaviour.tick_once()
    told.futures[0].set_result(answer(text='a red box'))
    behaviour.tick_once()
    assert behaviour.status == Status.SUCCESS
    assert Blackboard.get('ahead').text == 'a red box'


@pytest.mark.parametrize(
    ('found', 'status', 'message'),
    [
        (answer('yes'), Status.SUCCESS, 'yes (0.80)'),
        (answer('no'), Status.FAILURE, 'no (0.80)'),
        (answer(abstained=True), Status.FAILURE, 'abstained (0.80)'),
    ],
)
def test_a_condition_holds_only_where_the_wanted_choice_was_taken(told, found, status, message):
    condition = VlmCondition('clear?', told, 'Is the path ahead clear?', min_probability=0.7)
    condition.tick_once()
    told.futures[0].set_result(replace(found, ended_s=answer().ended_s))  # just now
    condition.tick_once()
    assert (condition.status, condition.feedback_message) == (status, message)
    assert told.asked[0][2] == {'choices': ('yes', 'no'), 'min_probability': 0.7}


@pytest.mark.parametrize(
    ('final_age_ms', 'held_s', 'fields', 'status'),
    [
        (900.0, 0.0, {'max_age': 60.0}, Status.SUCCESS),
        (70_000.0, 0.0, {'max_age': 60.0}, Status.FAILURE),  # the model was slow
        (900.0, 65.0, {'max_age': 60.0}, Status.FAILURE),  # the tree was slow
        (2100.0, 0.0, {}, Status.FAILURE),
        (70_000.0, 0.0, {'max_age': math.inf}, Status.SUCCESS),
        (900.0, 0.0, {'max_age': 0}, Status.SUCCESS),
        (900.0, 5.0, {'max_age': 0}, Status.FAILURE),
        (70_000.0, 0.0, {'stamp': 5}, Status.SUCCESS),
    ],
)
def test_an_image_that_has_grown_old_by_the_tick_is_a_failure(
    told, final_age_ms, held_s, fields, status
):
    condition = VlmCondition('clear?', told, 'Is the path ahead clear?', **fields)
    condition.tick_once()
    said = answer('yes')
    ended_s = said.ended_s - held_s
    said = replace(said, final_age_ms=final_age_ms, ended_s=ended_s)
    told.futures[0].set_result(said)
    condition.tick_once()
    assert condition.status == status
    assert ('s old by now' in condition.feedback_message) == (status == Status.FAILURE)


def test_no_reply_is_a_failure_that_says_why(told):
    condition = VlmCondition('clear?', told, 'Is the path ahead clear?')
    condition.tick_once()
    told.futures[0].set_exception(NoReplyError('/vlm_node is not there'))
    condition.tick_once()
    assert condition.status == Status.FAILURE
    assert 'is not there' in condition.feedback_message


@pytest.mark.parametrize(
    'error', [NoReplyError('absent'), ClosedError('closed'), RefusedError('STALE', 'old')]
)
def test_a_client_that_cannot_ask_is_a_failure(told, error):
    def submit(*_, **__):
        raise error

    told.submit = submit
    behaviour = VlmAsk('ask', told, 'What is ahead?')
    behaviour.tick_once()
    assert (behaviour.status, behaviour.feedback_message) == (Status.FAILURE, str(error))


@pytest.mark.parametrize(
    ('make', 'arguments', 'message'),
    [
        (VlmAsk, {'question': None}, 'question must be a str'),
        (VlmAsk, {'deadline_s': 0}, 'deadline_s'),
        (VlmAsk, {'max_tokens': -1}, 'max_tokens is -1'),
        (VlmAsk, {'colour': 'red'}, 'no field colour'),
        (VlmAsk, {'key': 7}, 'key must be a str'),
        (VlmCondition, {'choices': 'yes'}, 'choices must be a list of str'),
        (VlmCondition, {'choices': []}, "wanted is 'yes'; it must be one of the choices"),
        (VlmCondition, {'wanted': 'open'}, "wanted is 'open'; it must be one of the choices"),
        (VlmCondition, {'min_probability': float('nan')}, 'min_probability'),
        (VlmCondition, {'max_age': -1}, 'max_age'),
    ],
)
def test_bad_arguments_are_refused_when_the_tree_is_made(told, make, arguments, message):
    with pytest.raises(BadValueError, match=message):
        make('name', told, **{'question': 'Is the path ahead clear?', **arguments})
    assert told.asked == []


def test_it_asks_anew_each_time_that_it_is_begun(told):
    behaviour = VlmAsk('ask', told, 'What is ahead?')
    for number in range(2):
        behaviour.tick_once()
        told.futures[number].set_result(answer(text=str(number)))
        behaviour.tick_once()
        assert behaviour.answer.text == str(number)
    behaviour.tick_once()
    behaviour.stop(Status.INVALID)
    behaviour.tick_once()
    assert len(told.asked) == 4
