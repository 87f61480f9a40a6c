"""Requests that are cancelled, too late, or meet a node that stops: each ends as what it is."""

import json
import random
import signal
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import RegionOfInterest

from mobilevlm_ros.msg import Answer, Query, Status
from tests.nodes.streamed import Streams
from tests.nodes.test_vlm_node_queries import jpeg

pytestmark = pytest.mark.ros

SLOW_NODE = str(Path(__file__).with_name('slow_vlm_node.py'))
SCHEMA = '{"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}'
SOON = Duration(nanosec=200_000_000)
LONG = {'question': 'Slow?', 'max_tokens': 300}


class Told:
    """What /diagnostics said of the engine and of its answers, from the first to the last."""

    def __init__(self, client):
        self._client = client
        self._heard = client.listen(DiagnosticArray, '/diagnostics')

    def parts(self, part):
        return [s for m in self._heard for s in m.status if s.name.endswith(f': {part}')]

    def wait_for_count(self, name, count):
        """Until so many requests ended with this status; no part ever was an error."""
        def counted():
            parts = self.parts('answers')
            values = {pair.key: pair.value for pair in parts[-1].values} if parts else {}
            return values.get(f'count_{name}') == str(count)

        self._client.wait(counted)
        levels = {part.level for part in (*self.parts('engine'), *self.parts('answers'))}
        assert DiagnosticStatus.ERROR not in levels

    def counts(self):
        values = self.parts('answers')[-1].values
        return {pair.key for pair in values if pair.key.startswith('count_')}


@pytest.fixture
def quiet(processes):
    """Afterwards the log must hold no traceback and no error."""
    yield
    log = processes.log.read_text()
    assert 'Traceback' not in log and '[ERROR]' not in log, log


@pytest.fixture
def slow(start_slow, client, quiet):
    """A vlm_node in the middle of a long answer, and streams to it; nothing else may begin."""
    start_slow('streaming', active_questions=1)
    return Streams(client)


@pytest.fixture
def stuck(start_slow, client, quiet):
    """A vlm_node whose encoder never returns, and streams to it."""
    start_slow('encoding')
    return Streams(client)


@pytest.fixture
def ready(start_fake, client, quiet):
    """A vlm_node that has seen an image, and streams to it."""
    start_fake(captions='false')
    client.show(50)
    client.answer()
    return Streams(client)


def assert_cancelled(done, **answer):
    assert done.status == GoalStatus.STATUS_CANCELED
    assert done.result.status.code == Status.CANCELLED and done.result.status.message
    found = done.result.answer
    assert (found.finish_reason, found.model, found.choice) == ('cancelled', 'fake', -1)
    assert not found.abstained and not found.probabilities
    for name, value in {'camera': 'camera', 'text': '', **answer}.items():
        assert getattr(found, name) == value


def test_a_goal_that_waits_for_the_next_image_is_cancelled(ready, client):
    told = Told(client)
    goal = ready.send('Next?', frame=Query.NEXT, deadline=Duration(sec=600), session='tour')
    goal.cancel()
    assert_cancelled(goal.result(), question='Next?', session='tour')
    told.wait_for_count('CANCELLED', 1)
    assert client.ask().status.code == Status.OK


@pytest.mark.parametrize('fields, camera', [
    ({}, 'camera'), ({'frame': Query.NEWEST}, 'camera'), ({'image': jpeg(9)}, ''),
    ({'choices': ['a', 'b']}, 'camera'), ({'json_schema': SCHEMA}, 'camera'),
], ids=['held', 'newest', 'image', 'choices', 'schema'])  # fmt: skip
def test_a_goal_whose_image_is_being_encoded_is_cancelled_at_once(stuck, client, fields, camera):
    told = Told(client)
    goal = stuck.send('Encoding?', **fields)
    goal.cancel()
    choices = fields.get('choices', [])
    assert_cancelled(goal.result(), question='Encoding?', camera=camera, choices=choices)
    told.wait_for_count('CANCELLED', 1)


def test_a_goal_that_waits_in_the_queue_is_cancelled_at_once(slow, client):
    told = Told(client)
    goal = slow.send('Queued?')
    goal.cancel()
    assert_cancelled(goal.result(), question='Queued?')
    told.wait_for_count('CANCELLED', 1)


@pytest.fixture
def streaming(start, client, quiet):
    """Streams to a vlm_node that takes its time for every token."""
    start(SLOW_NODE, 'streaming', captions='false')
    client.show(50)
    client.answer(question='Quick?')
    return Streams(client)


@pytest.mark.parametrize('fields', [
    {}, {'session': 'tour'}, {'json_schema': SCHEMA},
], ids=['text', 'session', 'schema'])  # fmt: skip
def test_a_goal_in_the_middle_of_its_answer_is_cancelled_with_what_it_has(
    streaming, client, fields
):
    told, heard = Told(client), client.listen(Answer, 'vlm_node/answer')
    stamp = client.ask('Quick?').answer.header.stamp
    goal = streaming.send(**LONG, **fields)
    client.wait(lambda: goal.pieces)
    goal.cancel()
    done = goal.result()
    answer = done.result.answer
    assert_cancelled(done, question='Slow?', text=answer.text)
    assert answer.text.startswith(goal.text()[:1]) and answer.timing.generated_tokens > 0
    assert answer.header.stamp == stamp and answer.timing.total_ms > 0
    if 'json_schema' in fields:
        assert json.loads(answer.text).keys() == {'words'}
    client.wait(lambda: heard and heard[-1].finish_reason == 'cancelled')
    told.wait_for_count('CANCELLED', 1)


def test_cancelling_too_late_changes_nothing_and_cancelling_twice_is_no_fault(streaming, client):
    done = streaming.send('Quick?')
    assert done.result().status == GoalStatus.STATUS_SUCCEEDED
    assert done.cancel().return_code == CancelGoal.Response.ERROR_GOAL_TERMINATED
    long = streaming.send(**LONG)
    client.wait(lambda: long.pieces)
    first, second = long.handle.cancel_goal_async(), long.handle.cancel_goal_async()
    client.wait(lambda: first.done() and second.done())
    assert long.result().status == GoalStatus.STATUS_CANCELED
    assert client.ask('Quick?').status.code == Status.OK


def test_the_state_of_a_goal_agrees_with_its_status_whenever_it_is_cancelled(ready, client):
    told = Told(client)
    agreeing = {
        (GoalStatus.STATUS_SUCCEEDED, Status.OK), (GoalStatus.STATUS_CANCELED, Status.CANCELLED),
    }  # fmt: skip
    for _ in range(30):
        goal = ready.send('Race?')
        cancelling = goal.handle.cancel_goal_async()
        done = goal.result()
        client.wait(cancelling.done)
        assert (done.status, done.result.status.code) in agreeing
        assert done.result.answer.question == 'Race?'
        assert done.result.answer.text == 'Race? brightness 50' or done.result.status.code
    client.wait(lambda: told.parts('answers'))
    assert told.counts() <= {'count_OK', 'count_CANCELLED', 'count_INVALID', 'count_NO_IMAGE'}


def test_all_goals_are_cancelled_together(streaming, client):
    told = Told(client)
    goals = [streaming.send(f'Slow {n}?', max_tokens=300) for n in range(3)]
    goals.append(streaming.send('Next?', frame=Query.NEXT, deadline=Duration(sec=600)))
    client.wait(lambda: all(goal.pieces for goal in goals[:3]))
    assert len(streaming.cancel_all().goals_canceling) == 4
    for goal in goals:
        assert goal.result().status == GoalStatus.STATUS_CANCELED
    told.wait_for_count('CANCELLED', 4)


def test_a_second_goal_is_rejected_where_that_is_wanted_and_counted(start, client, quiet):
    start(SLOW_NODE, 'streaming', captions='false', streams='reject')
    client.show(50)
    client.answer(question='Quick?')
    streams, told = Streams(client), Told(client)
    first = streams.send(**LONG)
    second = streams.send('Quick?')
    assert first.handle.accepted and not second.handle.accepted
    assert second.cancel().return_code == CancelGoal.Response.ERROR_UNKNOWN_GOAL_ID
    told.wait_for_count('REJECTED', 1)
    first.cancel()
    assert first.result().status == GoalStatus.STATUS_CANCELED
    assert streams.send('Quick?').result().status == GoalStatus.STATUS_SUCCEEDED


@pytest.mark.parametrize('fields', [
    {}, {'frame': Query.NEWEST}, {'image': jpeg(9)}, {'choices': ['a', 'b']},
], ids=['held', 'newest', 'image', 'choices'])  # fmt: skip
def test_a_deadline_passes_while_an_image_is_encoded(stuck, client, fields):
    told = Told(client)
    response = client.ask('Encoding?', deadline=SOON, **fields)
    assert response.status.code == Status.DEADLINE and response.status.message
    answer = response.answer
    assert (answer.question, answer.finish_reason, answer.text) == ('Encoding?', 'deadline', '')
    assert answer.camera == ('' if 'image' in fields else 'camera')
    assert answer.model == 'fake' and answer.timing.total_ms >= 200
    told.wait_for_count('DEADLINE', 1)


def test_a_deadline_passes_while_the_next_image_is_waited_for(ready, client):
    told = Told(client)
    response = client.ask('Next?', frame=Query.NEXT, deadline=SOON)
    assert response.status.code == Status.DEADLINE
    assert 'no image from camera came' in response.status.message
    answer = response.answer
    assert (answer.question, answer.camera) == ('Next?', 'camera')
    assert (answer.finish_reason, answer.text) == ('deadline', '')
    goal = ready.send('Next?', frame=Query.NEXT, deadline=SOON).result()
    assert (goal.status, goal.result.status.code) == (GoalStatus.STATUS_ABORTED, Status.DEADLINE)
    told.wait_for_count('DEADLINE', 2)


def test_a_deadline_counts_from_the_request_whatever_it_waited_for(
    streaming, client, processes, tmp_path
):
    future = client.send(**LONG, frame=Query.NEXT, deadline=Duration(sec=600))
    client.settle()
    client.spin(0.4)
    client.show(60)
    client.wait(lambda: 'streaming' in processes.log.read_text())
    (tmp_path / 'late').touch()
    client.wait(future.done)
    answer = future.result().answer
    assert future.result().status.code == Status.DEADLINE and answer.text
    assert answer.timing.total_ms >= 600_000
    assert answer.timing.queue_ms > 300  # the deadline counts from there too


def test_nothing_said_is_no_answer_for_those_who_listen(ready, client):
    heard = client.listen(Answer, 'vlm_node/answer')
    client.ask(frame=Query.NEXT, deadline=SOON)
    client.wait(lambda: client.ask('Said?') and heard)
    assert {answer.finish_reason for answer in heard} == {'stop'}


@pytest.mark.parametrize('transitions, code', [
    ('deactivate', Status.NOT_ACTIVE), ('deactivate cleanup', Status.NOT_ACTIVE),
    ('active_shutdown', Status.CANCELLED),
])  # fmt: skip
def test_a_question_that_waits_for_an_image_ends_when_the_node_is_deactivated(
    ready, client, transitions, code
):
    future = client.send(frame=Query.NEXT, deadline=Duration(sec=600))
    client.settle()
    for transition in transitions.split():
        assert client.transition(transition)
    client.wait(future.done)
    assert future.result().status.code == code


def test_cleaning_up_ends_an_answer_with_what_it_has(streaming, client):
    told = Told(client)
    goal = streaming.send(**LONG)
    client.wait(lambda: goal.pieces)
    assert client.transition('deactivate') and client.transition('cleanup')
    done = goal.result()
    assert (done.status, done.result.status.code) == (
        GoalStatus.STATUS_ABORTED, Status.CANCELLED,
    )  # fmt: skip
    assert done.result.answer.text and done.result.answer.question == 'Slow?'
    told.wait_for_count('CANCELLED', 1)


@pytest.mark.parametrize('fields', [
    {}, {'json_schema': SCHEMA}, {'frame': Query.NEXT, 'deadline': Duration(sec=600)},
], ids=['text', 'schema', 'next'])  # fmt: skip
def test_a_signal_ends_a_goal_with_what_it_has(start, client, quiet, fields):
    process = start(SLOW_NODE, 'streaming', 'patient', captions='false')
    client.show(50)
    client.answer(question='Quick?')
    goal = Streams(client).send(**LONG, **fields)
    getting = goal.handle.get_result_async()
    if 'frame' not in fields:
        client.wait(lambda: goal.pieces)
    client.settle()
    process.send_signal(signal.SIGTERM)
    client.wait(getting.done)
    result = getting.result().result
    assert (result.status.code, result.answer.question) == (Status.CANCELLED, 'Slow?')
    assert result.answer.finish_reason == 'cancelled'
    assert bool(result.answer.text) == ('frame' not in fields)
    if 'json_schema' in fields:
        assert json.loads(result.answer.text).keys() == {'words'}


AGREEING = {
    (GoalStatus.STATUS_SUCCEEDED, Status.OK), (GoalStatus.STATUS_CANCELED, Status.CANCELLED),
    (GoalStatus.STATUS_ABORTED, Status.DEADLINE),
}  # fmt: skip
KINDS = [
    {}, {'choices': ['yes', 'no']}, {'json_schema': SCHEMA}, {'session': 'tour'},
    {'frame': Query.NEWEST}, {'frame': Query.NEXT}, {'image': jpeg(9)},
    {'roi': RegionOfInterest(width=8, height=8)}, {'session': 'other', 'image': jpeg(90)},
]  # fmt: skip


@pytest.mark.parametrize('after', ['cancel', 'deadline'])
def test_nano_ends_whatever_it_is_asked_whenever_that_is_cut(start, client, quiet, after):
    start('vlm_node', captions='false', max_age_s=0.0)
    client.show(50)
    client.answer(max_tokens=1)
    streams, told, rng = Streams(client), Told(client), random.Random(0)
    for number in range(4 * len(KINDS)):
        fields, seconds = dict(KINDS[number % len(KINDS)]), rng.choice([0.001, 0.02, 0.1])
        if after == 'deadline':
            fields['deadline'] = Duration(nanosec=int(seconds * 1e9))
        goal = streams.send(f'Number {number}?', **fields)
        if after == 'cancel':
            client.spin(seconds)
            client.show(50 + number)  # or those that wait for the next one end by themselves
            goal.cancel()
        done = goal.result()
        status, answer = done.result.status, done.result.answer
        assert (done.status, status.code) in AGREEING, status
        assert answer.question == f'Number {number}?' and answer.model == 'nano'
        if status.code != Status.OK:
            assert answer.finish_reason in ('cancelled', 'deadline') and not answer.abstained
        if 'json_schema' in fields and answer.text:
            assert json.loads(answer.text).keys() == {'words'}
    assert client.ask('Still there?').status.code == Status.OK

    def idle():
        engine = {pair.key: pair.value for pair in told.parts('engine')[-1].values}
        return engine['active'] == engine['waiting'] == '0'

    client.wait(idle)
