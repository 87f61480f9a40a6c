"""Ctrl-C while a library written in C calls back into Python."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let SIGINT take effect at the end of the block.

    ctypes prints and drops what a callback raises, KeyboardInterrupt too, so that a program would
    go on as if nothing had happened. Only the main thread of Python handles signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if received:
        signal.raise_signal(signal.SIGINT)
