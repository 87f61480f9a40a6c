"""The Python client against a vlm_node without a model."""

import asyncio
import threading
from pathlib import Path

import pytest

from mobilevlm_ros.client import NoReplyError, RefusedError, VlmClient
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros


@pytest.fixture
def vlm(ros_domain):
    with VlmClient() as vlm:
        yield vlm


@pytest.fixture
def shown(start_fake, client, vlm):
    """A vlm_node that has seen a grey image, whose stamp this is."""
    start_fake(captions=False)
    stamp = client.show(90)
    client.answer()
    return stamp


def test_an_answer_tells_which_image_it_is_about(shown, vlm):
    answer = vlm.ask('Well?', PATIENCE_S)
    assert answer.text == 'Well? brightness 90'
    assert (answer.stamp_ns, answer.frame_id, answer.camera) == (shown, 'lens', 'camera')
    assert answer.total_ms > 0 and answer.probabilities == {}


def test_a_refusal_is_raised_with_its_status(shown, vlm):
    with pytest.raises(RefusedError, match='INVALID: the question is empty') as caught:
        vlm.ask(' ', PATIENCE_S)
    assert caught.value.code == 'INVALID'
    with pytest.raises(RefusedError, match='UNKNOWN_CAMERA'):
        vlm.ask('Well?', PATIENCE_S, camera='rear')


def test_nobody_there_is_an_error_once_the_deadline_is_over(vlm):
    with pytest.raises(NoReplyError, match='vlm_node is not there'):
        vlm.ask('Well?', deadline_s=0.2)


def test_a_field_that_there_is_not_is_named(vlm):
    with pytest.raises(TypeError, match='no field colour; there is question, camera'):
        vlm.ask('Well?', colour='red')


def test_many_threads_may_ask_at_once(shown, vlm):
    answers = {}

    def ask(number):
        answers[number] = vlm.ask(f'Number {number}?', PATIENCE_S).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f'Number {number}? brightness 90' for number in range(8)}


def test_answers_can_be_awaited_together(shown, vlm):
    async def ask():
        return await asyncio.gather(*(vlm.ask_async(f'{letter}?', PATIENCE_S) for letter in 'ab'))

    texts = [answer.text for answer in asyncio.run(ask())]
    assert texts == ['a? brightness 90', 'b? brightness 90']


def test_a_request_made_before_the_node_is_there_is_answered_once_it_is(start_fake, client, vlm):
    future = vlm.submit(' ', deadline_s=PATIENCE_S)
    start_fake()
    with pytest.raises(RefusedError, match='INVALID'):
        future.result(PATIENCE_S)


def test_it_goes_on_after_the_node_was_replaced(start_fake, client, vlm, processes):
    for _ in range(2):
        process = start_fake(captions=False)
        for begin in (vlm.ask, lambda *args, **limits: list(vlm.stream(*args, **limits))):
            with pytest.raises(RefusedError, match='INVALID'):
                begin(' ', deadline_s=PATIENCE_S)
        processes.kill(process)


def test_pieces_of_a_stream_joined_are_the_answer(shown, vlm):
    pieces = list(vlm.stream('Well?', deadline_s=PATIENCE_S))
    assert ''.join(pieces) == 'Well? brightness 90' and len(pieces) > 3
    chosen = ''.join(vlm.stream('Well?', deadline_s=PATIENCE_S, choices=('bright', 'dark')))
    assert chosen in ('bright', 'dark')


def test_calls_in_flight_end_by_their_deadline_when_the_node_is_killed(
    start, client, vlm, processes
):
    program = Path(__file__).parents[1] / 'nodes' / 'slow_vlm_node.py'
    process = start(str(program), 'streaming', captions=False, max_age_s=0.0)
    client.show(90)
    client.answer(question='Quick?')
    assert vlm.ask('Quick?', deadline_s=PATIENCE_S)  # what follows need not look for the node
    pieces = vlm.stream('Slow?', deadline_s=20, max_tokens=300)
    assert next(pieces)
    future = vlm.submit('Slow?', deadline_s=5)
    processes.kill(process)
    with pytest.raises(NoReplyError, match=r'did not reply in time|is not there'):
        future.result(PATIENCE_S)
    with pytest.raises(NoReplyError, match=r'did not reply in time|is not there'):
        list(pieces)


def test_closing_ends_whoever_waits(ros_domain):
    vlm = VlmClient()
    future = vlm.submit('Well?', deadline_s=PATIENCE_S)
    pieces = vlm.stream('Well?', deadline_s=PATIENCE_S)
    threading.Timer(0.5, vlm.close).start()
    with pytest.raises(NoReplyError):
        next(pieces)
    with pytest.raises(NoReplyError):
        future.result(10)
    with pytest.raises(RuntimeError, match='closed'):
        vlm.ask('Well?', PATIENCE_S)
