"""Calls that fail, by whatever fault, fail alone; and nobody waits for ever."""

import threading

import pytest

from mobilevlm_ros.client import ClosedError, VlmClientError
from mobilevlm_ros.client.spinner import Spinner
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros


class Call:
    """Ends once it was told to, or by what it raises."""

    def __init__(self, raises=None, raises_in_fail=None):
        self.may_end = raises is None
        self.raises, self.raises_in_fail = raises, raises_in_fail
        self.ended, self.error, self.left = threading.Event(), None, False

    def advance(self):
        if self.raises:
            raise self.raises
        if self.may_end:
            self.ended.set()
        return self.may_end

    def fail(self, error):
        self.error = error
        self.ended.set()
        if self.raises_in_fail:
            raise self.raises_in_fail

    def leave(self):
        self.left = True


def waiting():
    call = Call()
    call.may_end = False
    return call


@pytest.fixture
def spinner(ros_domain):
    spinner = Spinner('/')
    spinner.start()
    yield spinner
    spinner.close()


@pytest.mark.parametrize(
    'error', [OSError('no'), MemoryError(), SystemExit(1), KeyboardInterrupt()], ids=repr
)
def test_a_fault_fails_its_call_and_no_other(spinner, error):
    other, guilty = waiting(), Call(error)
    spinner.add(other)
    spinner.add(guilty)
    assert guilty.ended.wait(PATIENCE_S)
    assert isinstance(guilty.error, VlmClientError) and guilty.error.__cause__ is error
    other.may_end = True
    assert other.ended.wait(PATIENCE_S) and other.error is None


def test_a_call_that_fails_even_to_fail_stops_nobody(spinner):
    guilty, other = Call(OSError('no'), SystemExit(2)), Call()
    spinner.add(guilty)
    assert guilty.ended.wait(PATIENCE_S)
    spinner.add(other)
    assert other.ended.wait(PATIENCE_S)


@pytest.mark.parametrize('error', [OSError('no'), SystemExit(1)])
def test_a_callback_that_raises_stops_nobody(spinner, error):
    called = threading.Event()

    def callback():
        if not called.is_set():
            called.set()
            raise error

    spinner.node.create_timer(0.001, callback)
    assert called.wait(PATIENCE_S)
    call = Call()
    spinner.add(call)
    assert call.ended.wait(PATIENCE_S)


def test_closing_ends_every_call(spinner):
    calls = [waiting() for _ in range(3)]
    calls[0].raises_in_fail = SystemExit(2)
    for call in calls:
        spinner.add(call)
    spinner.close()
    assert all(isinstance(call.error, ClosedError) for call in calls)
    with pytest.raises(ClosedError, match='closed'):
        spinner.add(Call())


def test_closing_silently_tells_nobody(spinner):
    call = waiting()
    spinner.add(call)
    spinner.close(silently=True)
    assert call.left and call.error is None


def test_closing_from_many_threads_at_once_ends_once(spinner):
    threads = [threading.Thread(target=spinner.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def test_a_call_may_close_it(spinner):
    closing = waiting()
    closing.advance = lambda: spinner.close()
    spinner.add(closing)
    assert closing.ended.wait(PATIENCE_S) and isinstance(closing.error, ClosedError)


def test_waiting_is_forbidden_in_its_thread_alone(spinner):
    asking = waiting()
    asking.advance = spinner.forbid_waiting
    spinner.forbid_waiting()
    spinner.add(asking)
    assert asking.ended.wait(PATIENCE_S)
    assert 'must not wait; use submit' in str(asking.error)
