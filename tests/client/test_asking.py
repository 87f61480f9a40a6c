"""Requests to servers that reply late, twice, not at all, or nonsense."""

import time
from concurrent.futures import CancelledError, wait
from types import SimpleNamespace

import pytest
from rclpy.task import Future

from mobilevlm_ros.client import NoReplyError, RefusedError
from mobilevlm_ros.client.asking import Asking
from mobilevlm_ros.msg import Answer, Status, Timing
from mobilevlm_ros.srv import Ask
from tests.patience import PATIENCE_S


class Server:
    """A service, and the way to it, as the test would have them."""

    def __init__(self):
        self.open, self.generation = True, 1
        self.fault = '/vlm_node did not reply in time'
        self.replies = []

    def advance(self):
        pass

    def call_async(self, request):
        self.replies.append(Future())
        return self.replies[-1]

    def reply(self, number=-1, code=Status.OK, **answer):
        status = Status(code=code, message='' if code == Status.OK else 'because')
        self.replies[number].set_result(Ask.Response(status=status, answer=Answer(**answer)))


class Patience:
    def __init__(self):
        self.begun, self.over = False, lambda: False

    def sent(self):
        self.begun = True


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def patience():
    return Patience()


@pytest.fixture
def asking(server, patience):
    return Asking(server, Ask.Request(), server, patience)


def test_the_reply_is_the_answer(server, asking):
    assert not asking.advance() and not asking.answer.done()
    server.reply(text='a red box')
    assert asking.advance()
    assert asking.answer.result().text == 'a red box'


def test_a_refusal_is_an_error_that_has_what_there_was(server, asking):
    asking.advance()
    server.reply(code=Status.DEADLINE, text='a red', finish_reason='deadline')
    assert asking.advance()
    with pytest.raises(RefusedError, match='DEADLINE: because') as caught:
        asking.answer.result()
    assert caught.value.answer.text == 'a red'


def test_the_deadline_begins_when_the_request_is_sent(server, asking, patience):
    server.open = False
    assert not asking.advance() and not patience.begun and not server.replies
    server.open = True
    assert not asking.advance() and patience.begun and len(server.replies) == 1


def test_every_server_that_appears_is_asked_and_the_first_reply_counts(server, asking):
    asking.advance()
    server.generation, server.open = 2, False
    asking.advance()
    assert len(server.replies) == 1
    server.open = True
    asking.advance()
    assert len(server.replies) == 2
    server.reply(1, text='from the second')
    assert asking.advance()
    assert asking.answer.result().text == 'from the second'


def test_a_process_that_is_stopped_while_it_sends_counts_that_time_to_the_age_of_the_image(
    server, asking, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(time, 'clock_gettime', lambda _: now[0])
    send = server.call_async

    def stopped_behind(request):
        now[0] += 7.0
        return send(request)

    server.call_async = stopped_behind
    asking.advance()
    server.reply(timing=Timing(final_age_ms=300.0, total_ms=200.0))
    assert asking.advance()
    assert asking.answer.result().age_s == pytest.approx(7.1)


def test_no_reply_is_an_error_and_nothing_is_kept(server, asking, patience):
    asking.advance()
    patience.over = lambda: True
    assert asking.advance()
    with pytest.raises(NoReplyError, match='did not reply'):
        asking.answer.result()
    assert server.replies[0].cancelled()


def test_a_request_that_was_cancelled_ends(server, asking):
    asking.advance()
    assert asking.answer.cancel()
    server.reply(text='too late')
    assert asking.advance()
    assert wait([asking.answer], timeout=PATIENCE_S).done
    with pytest.raises(CancelledError):
        asking.answer.result()


def test_an_error_after_the_answer_changes_nothing(server, asking):
    asking.advance()
    server.reply(text='a red box')
    asking.advance()
    asking.fail(NoReplyError('closed'))
    assert asking.answer.result().text == 'a red box'


def test_what_is_no_reply_is_raised(server, asking):
    """Whoever advances it fails it then."""
    asking.advance()
    server.replies[0].set_result(SimpleNamespace())
    with pytest.raises(AttributeError):
        asking.advance()
