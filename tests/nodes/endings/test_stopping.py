"""Requests that are too late, or meet a node that stops: each ends as what it is."""

import json
import random
import signal

import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import RegionOfInterest

from mobilevlm_ros.msg import Answer, Query, Status
from tests.nodes.endings.goals import (
    LONG,
    SCHEMA,
    SLOW_NODE,
    SOON,
    Told,
)
from tests.nodes.streamed import Streams
from tests.nodes.test_vlm_node_queries import jpeg

pytestmark = pytest.mark.ros


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
