"""SIGINT in a callback from C, which would otherwise be dropped."""

import ctypes
import signal
import threading

import pytest

from mobilevlm_ros.engine.interrupts import interrupts_later


def call_back(function) -> None:  # type: ignore[no-untyped-def]
    """Call a function from C: qsort of two numbers asks it once how they compare."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    numbers = (ctypes.c_int * 2)(2, 1)

    def compare(_: int, __: int) -> int:
        function()
        return 0

    ctypes.CDLL(None).qsort(numbers, 2, ctypes.sizeof(ctypes.c_int), kind(compare))


def test_an_interrupt_within_a_callback_takes_effect_behind_the_block() -> None:
    done = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts_later():
        call_back(lambda: signal.raise_signal(signal.SIGINT))
        done.append('the whole block')
    assert done
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_of_the_block_comes_first() -> None:
    with pytest.raises(ZeroDivisionError), interrupts_later():
        signal.raise_signal(signal.SIGINT)
        1 / 0  # noqa: B018


def test_other_threads_leave_signals_alone() -> None:
    handlers = []

    def run() -> None:
        with interrupts_later():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
