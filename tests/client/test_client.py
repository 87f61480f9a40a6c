"""The Python client against a vlm_node without a model."""

import asyncio
import math
import signal
import threading
from concurrent.futures import Future, wait
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.client import (
    BadValueError,
    ClosedError,
    NoReplyError,
    RefusedError,
    VlmClient,
    VlmClientError,
)
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.ros


@pytest.fixture
def vlm(ros_domain):
    """A client that waits long enough for a node to be found, and to start."""
    with VlmClient(connect_s=PATIENCE_S) as vlm:
        yield vlm


LONG = {'deadline_s': PATIENCE_S}
ANY = {'max_age': math.inf, **LONG}  # of an image that was shown once


@pytest.fixture
def shown(start_fake, client, vlm):
    """A vlm_node that has seen a grey image, whose stamp this is."""
    start_fake(captions=False)
    stamp = client.show(90)
    client.answer()
    return stamp


def test_an_answer_tells_which_image_it_is_about(shown, vlm):
    answer = vlm.ask('Well?', **ANY)
    assert answer.text == 'Well? brightness 90'
    assert (answer.stamp_ns, answer.frame_id, answer.camera) == (shown, 'lens', 'camera')
    assert answer.total_ms > 0 and answer.probabilities == {}


def test_a_refusal_is_raised_with_its_status(shown, vlm):
    with pytest.raises(RefusedError, match='INVALID: the question is empty') as caught:
        vlm.ask(' ', **LONG)
    assert caught.value.code == 'INVALID'
    with pytest.raises(RefusedError, match='UNKNOWN_CAMERA'):
        vlm.ask('Well?', camera='rear', **LONG)


@pytest.mark.parametrize('ask', [VlmClient.ask, lambda *args: list(VlmClient.stream(*args))])
def test_nobody_there_is_an_error_whatever_the_deadline(ros_domain, ask):
    with VlmClient(connect_s=0.2) as vlm, pytest.raises(NoReplyError, match='is not there'):
        ask(vlm, 'Well?', 10_000)


SLOW = str(Path(__file__).parents[1] / 'nodes' / 'slow_vlm_node.py')


@pytest.fixture
def slow(start, client):
    """A vlm_node that takes seconds for an answer, and has seen an image."""
    process = start(SLOW, 'streaming', captions=False, max_age_s=0.0)
    client.show(90)
    client.answer(question='Quick?')
    return process


def test_the_node_is_told_the_deadline(slow, vlm, processes, tmp_path):
    future = vlm.submit('Slow?', max_tokens=300, **ANY)
    until(lambda: 'streaming' in processes.log.read_text())
    (tmp_path / 'late').touch()
    with pytest.raises(RefusedError) as caught:
        future.result(PATIENCE_S)
    assert caught.value.code == 'DEADLINE'
    assert caught.value.answer.finish_reason == 'deadline'


def test_an_old_image_is_refused_unless_any_age_is_asked_for(start_fake, client, vlm):
    start_fake(captions=False, max_age_s=0.0)  # the node's own limit: none
    client.show(90, stamp_ns=client.node.get_clock().now().nanoseconds - 31 * 10**9)
    client.answer()
    for ask in (vlm.ask, vlm.check, lambda *arguments: list(vlm.stream(*arguments))):
        with pytest.raises(RefusedError) as caught:
            ask('Clear?', PATIENCE_S)
        assert caught.value.code == 'STALE'
    assert vlm.ask('Clear?', **ANY).image_age_ms > 30_000


CALLS = {
    'ask': VlmClient.ask,
    'check': VlmClient.check,
    'submit': VlmClient.submit,
    'stream': VlmClient.stream,
    'ask_async': lambda *args, **fields: asyncio.run(VlmClient.ask_async(*args, **fields)),
    'check_async': lambda *args, **fields: asyncio.run(VlmClient.check_async(*args, **fields)),
    'stream_async': VlmClient.stream_async,
}


@pytest.mark.parametrize('call', CALLS.values(), ids=CALLS)
def test_a_value_that_cannot_be_sent_is_refused_by_every_call(vlm, call):
    with pytest.raises(BadValueError, match='max_tokens is -1; it must be in'):
        call(vlm, 'Well?', max_tokens=-1)
    with pytest.raises(BadValueError, match='no field colour; there is question, camera'):
        call(vlm, 'Well?', colour='red')
    with pytest.raises(BadValueError, match='question must be a str, not None'):
        call(vlm, None)


@pytest.mark.parametrize('arguments', [{'node_name': 'a b'}, {'namespace': 7}, {'connect_s': -1}])
def test_a_client_of_bad_arguments_is_refused(ros_domain, arguments):
    with pytest.raises(BadValueError, match=next(iter(arguments)).replace('_', '.')):
        VlmClient(**arguments)


def test_numbers_of_any_kind_are_taken(shown, vlm):
    answer = vlm.ask('Well?', temperature=0, max_tokens=np.int64(8), priority=np.uint8(1), **ANY)
    assert answer.text == 'Well? br'


def test_a_check_needs_a_yes_among_its_choices(shown, vlm):
    with pytest.raises(BadValueError, match="no 'yes'"):
        vlm.check('Open?', choices=['open', 'closed'])
    check = vlm.check('Open?', choices=['yes', 'no', 'cannot tell'], **ANY)
    assert check.answer.choice in check.answer.probabilities


def test_a_callback_that_would_wait_for_itself_is_told_so(shown, vlm):
    told = Future()

    def callback(_):
        try:
            vlm.ask('And now?', **ANY)
        except VlmClientError as error:
            told.set_result(error)

    vlm.submit('Well?', **ANY).add_done_callback(callback)
    assert 'must not wait; use submit' in str(told.result(PATIENCE_S))
    assert vlm.ask('Well?', **ANY).text == 'Well? brightness 90'


def test_a_request_may_be_cancelled(vlm):
    future = vlm.submit('Well?')
    assert future.cancel() and wait([future], PATIENCE_S).done


def test_streams_are_awaited_side_by_side_and_none_is_lost(start_fake, client, vlm):
    """There are more than asyncio has threads, and than ROS keeps by default for a busy node."""
    process = start_fake(captions=False, queue_size=64)
    client.show(90)
    client.answer()
    assert vlm.ask('Well?', **ANY)  # what follows need not look for the node

    async def read(number):
        return ''.join([piece async for piece in vlm.stream_async(f'{number}?', **ANY)])

    async def main():
        tasks = [asyncio.ensure_future(read(number)) for number in range(40)]
        await asyncio.sleep(1)  # most are sent by then, the others make the test no harder
        process.send_signal(signal.SIGCONT)
        return await asyncio.gather(*tasks)

    process.send_signal(signal.SIGSTOP)
    assert asyncio.run(main()) == [f'{number}? brightness 90' for number in range(40)]


def test_many_threads_may_ask_at_once(shown, vlm):
    answers = {}

    def ask(number):
        answers[number] = vlm.ask(f'Number {number}?', **ANY).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f'Number {number}? brightness 90' for number in range(8)}


def test_answers_can_be_awaited_together(shown, vlm):
    async def ask():
        return await asyncio.gather(*(vlm.ask_async(f'{letter}?', **ANY) for letter in 'ab'))

    texts = [answer.text for answer in asyncio.run(ask())]
    assert texts == ['a? brightness 90', 'b? brightness 90']


def test_a_request_made_before_the_node_is_there_is_answered_once_it_is(start_fake, client, vlm):
    future = vlm.submit(' ')
    start_fake()
    with pytest.raises(RefusedError, match='INVALID'):
        future.result(PATIENCE_S)


def test_it_goes_on_after_the_node_was_replaced(start_fake, client, vlm, processes):
    for _ in range(2):
        process = start_fake(captions=False)
        for begin in (vlm.ask, lambda *args, **limits: list(vlm.stream(*args, **limits))):
            with pytest.raises(RefusedError, match='INVALID'):
                begin(' ', **LONG)
        processes.kill(process)


def test_pieces_of_a_stream_joined_are_the_answer(shown, vlm):
    pieces = list(vlm.stream('Well?', **ANY))
    assert ''.join(pieces) == 'Well? brightness 90' and len(pieces) > 3
    chosen = ''.join(vlm.stream('Well?', choices=('bright', 'dark'), **ANY))
    assert chosen in ('bright', 'dark')


def test_calls_in_flight_end_by_their_deadline_when_the_node_is_killed(slow, vlm, processes):
    pieces = vlm.stream('Slow?', deadline_s=20, max_tokens=300, max_age=math.inf)
    assert next(pieces)
    future = vlm.submit('Slow?', deadline_s=5, max_age=math.inf)
    processes.kill(slow)
    with pytest.raises(NoReplyError, match=r'did not reply in time|is not there'):
        future.result(PATIENCE_S)
    with pytest.raises(NoReplyError, match=r'did not reply in time|is not there'):
        list(pieces)


def test_closing_ends_whoever_waits(ros_domain):
    vlm = VlmClient(connect_s=PATIENCE_S)
    future = vlm.submit('Well?')
    pieces = vlm.stream('Well?')
    threading.Timer(0.5, vlm.close).start()
    with pytest.raises(ClosedError):
        next(pieces)
    with pytest.raises(ClosedError):
        future.result(PATIENCE_S)
    with pytest.raises(ClosedError, match='closed'):
        vlm.ask('Well?')
    with pytest.raises(ClosedError, match='closed'):
        next(vlm.stream('Well?'))
