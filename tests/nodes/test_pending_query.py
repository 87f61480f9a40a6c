"""What a query waits for, and what ends the waiting."""

from concurrent.futures import Future as Job

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from mobilevlm_ros.engine import (
    Answer,
    CancelledError,
    ClosedError,
    DeadlineError,
    Question,
    Reply,
)
from mobilevlm_ros.nodes.pending_query import PendingQuery

pytestmark = pytest.mark.ros


@pytest.fixture
def executor(make_node):
    executor = SingleThreadedExecutor()
    executor.add_node(make_node('asked'))
    return executor


@pytest.fixture
def pending(executor):
    (node,) = executor.get_nodes()
    return PendingQuery(node, Question('Well?'), 'front')


def late():
    return DeadlineError('too late')


def outcome(executor, coroutine):
    """What it returns, or the error that it raises."""

    async def caught():
        try:
            return await coroutine
        except Exception as error:
            return error

    task = executor.create_task(caught)
    executor.spin_until_future_complete(task, 30)
    assert task.done()
    return task.result()


@pytest.mark.parametrize('kind', [Job, Future])
def test_it_returns_what_the_job_comes_to(executor, pending, kind):
    job = kind()
    job.set_result(7)
    assert outcome(executor, pending.wait(job, 30.0, late)) == 7


@pytest.mark.parametrize('kind', [Job, Future])
def test_a_job_that_takes_too_long_is_left_and_cancelled(executor, pending, kind):
    job = kind()
    assert str(outcome(executor, pending.wait(job, 0.05, late))) == 'too late'
    assert job.cancelled()


def test_it_ends_at_once_when_it_is_cancelled(executor, pending):
    executor.create_task(pending.cancel)
    found = outcome(executor, pending.wait(Job(), 30.0, late))
    assert isinstance(found, CancelledError)


def test_what_ended_before_it_waits_does_not_wait(executor, pending):
    pending.end(ClosedError('over'))
    pending.cancel()  # too late to be the cause
    assert isinstance(outcome(executor, pending.wait(Job(), 30.0, late)), ClosedError)
    with pytest.raises(ClosedError):
        pending.check()


def reply():
    return Reply(lambda: Answer('', 'Well?', 'cancelled'))


def test_an_answer_is_awaited_and_cancelled_through_its_reply(executor, pending):
    answered = reply()
    answered.set_result(Answer('yes', 'Well?', 'stop'))
    assert outcome(executor, pending.answered(answered)).text == 'yes'
    executor.create_task(pending.cancel)
    assert outcome(executor, pending.answered(reply())).finish_reason == 'cancelled'


def test_a_reply_that_comes_after_the_end_is_cancelled(executor, pending):
    pending.cancel()
    assert outcome(executor, pending.answered(reply())).finish_reason == 'cancelled'


def test_the_deadline_counts_from_the_beginning(executor, pending):
    (node,) = executor.get_nodes()
    assert pending.left_s == float('inf')
    assert PendingQuery(node, Question('Well?', deadline_s=5.0), '').left_s <= 5.0
