"""Runs nodes as a process: from their creation until they are done or told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor

from mobilevlm_ros.engine import MobileVlmError
from mobilevlm_ros.nodes.allocation import return_large_blocks
from mobilevlm_ros.nodes.params import unknown
from mobilevlm_ros.nodes.shared_memory import free_segments
from mobilevlm_ros.nodes.starting import start_ros

STOP_WITHIN_S = 0.6  # for requests in progress to end and be answered
LINGER_S = 0.1  # then, for what is on its way to clients or from them; nothing tells of that
KILL_AFTER_S = 0.95  # for everything, or the process ends the hard way


class Runnable(Protocol):
    """What `run` asks of a node beside being an rclpy node."""

    done: bool  # the node has nothing more to do

    def stop(self) -> bool:
        """Begin to stop; called again until it returns true."""


def run(create: Callable[[], Runnable], argv: list[str] | None = None) -> int:
    """Create a node and spin it until it is done or SIGINT or SIGTERM arrives.

    Returns:
        the exit code: 0, or 2 if the node could not be created; stderr then says why. A process
        that is cut short by a signal ends with 128 and the signal's number.
    """
    return run_together([create], argv)


def run_together(creates: Sequence[Callable[[], Runnable]], argv: list[str] | None = None) -> int:
    """The same for several nodes in one process, each with an executor and a thread of its own.

    They are created in this order. The process ends when all are done, or one fails.
    """
    return_large_blocks()
    stop = _StopSignal()
    try:
        start_ros(argv)
        _spin_all([create() for create in creates], stop)
        stop.heeded = True
    except MobileVlmError as error:
        line = ' '.join(str(error).split())
        sys.stderr.write(f'{Path(sys.argv[0]).stem}: {line}\n')
        return 2
    finally:
        rclpy.try_shutdown()
        if stop.received:  # a thread may still hold the node, and not come back in time
            free_segments()
    return 0


def _spin_all(nodes: Sequence[Runnable], stop: _StopSignal) -> None:
    """The last one in this thread."""
    with ThreadPoolExecutor(len(nodes), 'node') as threads:
        others = [threads.submit(_spin, node, stop) for node in nodes[:-1]]
        _spin(nodes[-1], stop)
    for other in others:
        other.result()


def _spin(node: Runnable, stop: _StopSignal) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    for text in unknown(node):
        node.get_logger().warning(text)  # type: ignore[attr-defined]
    stop.wakes.append(executor.wake)
    try:
        while not (stop.received or node.done):
            executor.spin_once(timeout_sec=0.1)  # without a limit, a wake alone does not return
    except BaseException:
        stop.received = True  # for the other nodes too
        raise
    # Requests in progress get their answer before the node disappears.
    deadline = time.monotonic() + STOP_WITHIN_S
    while not node.stop() and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.02)
    for timer in node.timers:  # type: ignore[attr-defined]
        timer.cancel()  # a node that has stopped publishes no more
    # rclpy sends the results of actions in tasks, which come before this one.
    executor.spin_until_future_complete(executor.create_task(lambda: None))
    deadline = time.monotonic() + LINGER_S
    while time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.02)
    executor.remove_node(node)
    node.destroy_node()  # type: ignore[attr-defined]


class _StopSignal:
    """Waits for SIGINT or SIGTERM in a thread of its own.

    Python runs signal handlers between the byte codes of the main thread, which may be inside a
    long call, and rclpy's own handlers close the node before it can answer anyone.
    """

    def __init__(self) -> None:
        self.received = False
        self.heeded = False  # the nodes have ended in order; only the process is left to end
        self.wakes: list[Callable[[], None]] = []  # called as soon as a signal arrives
        self._numbers, written = socket.socketpair()
        written.setblocking(False)
        self._written = written  # kept open
        signal.set_wakeup_fd(written.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._wait, name='signals', daemon=True).start()

    def _wait(self) -> None:
        number = self._numbers.recv(1)[0]
        self.received = True
        for wake in self.wakes:
            wake()
        time.sleep(KILL_AFTER_S)
        free_segments()
        os._exit(0 if self.heeded else 128 + number)
