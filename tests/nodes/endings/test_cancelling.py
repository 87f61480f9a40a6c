"""Goals that are cancelled: each ends with what there is of its answer."""

import json

import pytest
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from builtin_interfaces.msg import Duration

from mobilevlm_ros.msg import Answer, Query, Status
from tests.nodes.endings.goals import (
    LONG,
    SCHEMA,
    SLOW_NODE,
    Told,
    assert_cancelled,
)
from tests.nodes.streamed import Streams
from tests.nodes.test_vlm_node_queries import jpeg

pytestmark = pytest.mark.ros


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
