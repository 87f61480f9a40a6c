"""Streams of which pieces get lost, are overtaken, or come from another server."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from action_msgs.msg import GoalStatus

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client import NoReplyError, RefusedError
from mobilevlm_ros.client.stream import Streaming
from mobilevlm_ros.msg import Answer, Status

TEXT = 'a red box'


class Server:
    """An action server, and the way to it, as the test would have them."""

    def __init__(self):
        self.open, self.generation, self.name = True, 1, '/vlm_node'
        self.fault = '/vlm_node did not reply in time'
        self.accepted = True
        self.sent = []  # feedback callbacks, one for each goal
        self.sendings = []
        self.cancelled = 0
        self.answers = []

    def advance(self):
        pass

    def server_is_ready(self):
        return True

    def send_goal_async(self, goal, feedback_callback):
        self.sent.append(feedback_callback)
        self.sendings.append(Future())
        if self.accepted is not None:
            self.sendings[-1].set_result(self)
        return self.sendings[-1]

    def get_result_async(self):
        self.answers.append(Future())
        return self.answers[-1]

    def cancel_goal_async(self):
        self.cancelled += 1

    def say(self, piece, delta, goal=-1):
        feedback = AskStream.Feedback(piece=piece, delta=delta)
        self.sent[goal](SimpleNamespace(feedback=feedback))

    def end(self, text=TEXT, code=Status.OK, status=GoalStatus.STATUS_SUCCEEDED):
        answer = Answer(text=text, finish_reason='stop')
        result = AskStream.Result(status=Status(code=code), answer=answer)
        self.answers[-1].set_result(SimpleNamespace(status=status, result=result))


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def patience():
    return SimpleNamespace(over=lambda: False, sent=lambda: None)


@pytest.fixture
def pieces():
    return []


@pytest.fixture
def streaming(server, pieces, patience):
    return Streaming(server, AskStream.Goal(), server, pieces.append, patience)


def test_pieces_are_passed_on_as_they_come(server, streaming, pieces):
    assert not streaming.advance()
    for number, delta in enumerate(('a', ' red', ' box')):
        server.say(number, delta)
        streaming.advance()
        assert pieces[-1] == delta
    server.end()
    assert streaming.advance() and pieces == ['a', ' red', ' box', None]
    assert streaming.result.result().text == TEXT


@pytest.mark.parametrize(
    ('heard', 'passed_on'),
    [
        ([], [TEXT]),
        ([(0, 'a'), (1, ' red')], ['a', ' red', ' box']),
        ([(1, ' red'), (2, ' box')], [TEXT]),
        ([(0, 'a'), (2, ' box')], ['a', ' red box']),
    ],
    ids=['all', 'the last', 'the first', 'one between'],
)
def test_pieces_that_got_lost_come_with_the_result(
    server, streaming, pieces, heard, passed_on
):
    streaming.advance()
    for number, delta in heard:
        server.say(number, delta)
    streaming.advance()
    server.end()
    assert streaming.advance() and pieces == [*passed_on, None]


def test_what_there_was_of_a_refused_answer_is_passed_on_before_the_error(
    server, streaming, pieces
):
    streaming.advance()
    server.say(0, 'a')
    streaming.advance()
    server.end(text='a red', code=Status.DEADLINE)
    assert streaming.advance() and pieces == ['a', ' red', None]
    with pytest.raises(RefusedError, match='DEADLINE') as caught:
        streaming.result.result()
    assert (caught.value.code, caught.value.answer.text) == ('DEADLINE', 'a red')


def test_nothing_is_sent_before_the_way_is_open(server, streaming, patience):
    server.open = False
    assert not streaming.advance() and not server.sent
    patience.over = lambda: True
    assert streaming.advance()
    with pytest.raises(NoReplyError, match='/vlm_node did not reply'):
        streaming.result.result()


def test_a_goal_that_nobody_accepted_is_sent_to_the_next_server(server, streaming, pieces):
    server.accepted = None
    streaming.advance()
    server.accepted, server.generation = True, 2
    streaming.advance()
    server.say(0, 'late', goal=0)  # from the first server
    server.end()
    assert streaming.advance()
    assert len(server.sent) == 2 and pieces == [TEXT, None]


def test_a_goal_that_the_first_server_accepts_too_late_is_cancelled_there(server, streaming):
    server.accepted = None
    streaming.advance()
    server.accepted, server.generation = True, 2
    streaming.advance()
    server.sendings[0].set_result(server)
    assert not streaming.advance() and server.cancelled == 1


def test_a_goal_that_is_refused_is_an_error(server, streaming):
    server.accepted = False
    assert streaming.advance()
    with pytest.raises(RefusedError, match='BUSY'):
        streaming.result.result()


def test_a_result_from_a_server_that_does_not_know_the_goal_is_an_error(server, streaming):
    streaming.advance()
    server.end(text='', status=GoalStatus.STATUS_UNKNOWN)
    assert streaming.advance()
    with pytest.raises(NoReplyError, match='restarted'):
        streaming.result.result()


def test_a_goal_that_ended_by_a_fault_of_the_server_is_an_error(server, streaming, pieces):
    streaming.advance()
    server.end(text='', status=GoalStatus.STATUS_ABORTED)  # its status reads OK, as in any new one
    assert streaming.advance() and pieces == [None]
    with pytest.raises(RefusedError, match='INTERNAL'):
        streaming.result.result()


def test_a_stream_that_was_left_is_cancelled(server, streaming):
    streaming.advance()
    streaming.cancel()
    assert streaming.advance() and server.cancelled == 1


def test_giving_up_cancels_what_was_accepted(server, streaming, patience):
    streaming.advance()
    patience.over = lambda: True
    assert streaming.advance() and server.cancelled == 1
