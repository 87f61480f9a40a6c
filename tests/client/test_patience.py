"""Connecting and answering have each their time."""

import time

import pytest

from mobilevlm_ros.client import patience
from mobilevlm_ros.client.patience import GRACE_S, Patience


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass as the test says."""
    now = [100.0]
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    assert patience.time is time

    def advance(seconds):
        now[0] += seconds

    return advance


def test_a_way_is_waited_for_as_long_as_connecting_may_take(clock):
    waiting = Patience(connect_s=5, deadline_s=1)
    clock(4.9)
    assert not waiting.over()
    clock(0.2)
    assert waiting.over()


def test_an_answer_has_its_whole_deadline_from_its_being_sent(clock):
    waiting = Patience(connect_s=5, deadline_s=1)
    clock(4.9)
    waiting.sent()
    clock(0.9)
    assert not waiting.over()
    clock(0.2)
    assert not waiting.over()
    clock(GRACE_S + 0.1)
    assert waiting.over()


def test_sending_once_more_gives_no_more_time(clock):
    waiting = Patience(connect_s=5, deadline_s=1)
    waiting.sent()
    clock(1.1)
    assert not waiting.over()
    waiting.sent()
    clock(GRACE_S + 0.1)
    assert waiting.over()


def test_a_process_that_was_stopped_past_the_deadline_looks_for_the_reply_first(clock):
    waiting = Patience(connect_s=5, deadline_s=1)
    waiting.sent()
    clock(60)
    assert not waiting.over()
    clock(GRACE_S - 0.1)
    assert not waiting.over()
    clock(0.2)
    assert waiting.over()
