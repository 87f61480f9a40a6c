"""A node and the thread that spins it."""

from __future__ import annotations

import atexit
import os
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Protocol

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from mobilevlm_ros.client.values import ClosedError, VlmClientError

_PERIOD_S = 0.05  # how late a deadline may be noticed
_END_WITHIN_S = 2.0  # unless somebody's callback holds the thread up
_numbers = count()


class Job(Protocol):
    """One call, from its beginning to its end. Everything runs in the spinner's thread."""

    def advance(self) -> bool:
        """Go on, without waiting; true once it has ended."""

    def fail(self, error: VlmClientError) -> None:
        """End with an error, unless it has ended."""

    def leave(self) -> None:
        """Let vlm_node stop what it does for this call; nobody waits for it."""


class Spinner:
    """Spins a node of its own in a daemon thread, and lets calls go on there.

    An error ends the call that it comes from, and nothing else. The thread ends before the
    interpreter does, which would abort the process otherwise.
    """

    def __init__(self, namespace: str) -> None:
        """Make the node, in a context of its own: it does not matter who else uses rclpy, or when.

        Nobody's command line and logging are touched either.
        """
        self._pid = os.getpid()
        self._context = Context()
        self._context.init(args=[], initialize_logging=False)
        self.node = Node(
            f'vlm_client_{os.getpid()}_{next(_numbers)}',
            namespace=namespace,
            context=self._context,
            use_global_arguments=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._jobs: list[Job] = []
        # Whoever holds it may be interrupted by a garbage collection that closes this.
        self._lock = threading.RLock()
        self._closing = False
        self._silent = False
        self._thread = threading.Thread(target=self._spin, name='vlm_client', daemon=True)

    def start(self) -> None:
        """Spin, until the program ends at the latest."""
        atexit.register(self.close, silently=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        """Let a call go on until it has ended.

        Raises:
            ClosedError: after `close`, and in a process that was forked from that of the thread.
        """
        if self._forked:
            raise ClosedError('this client belongs to the process that forked this one')
        with self._lock:
            if self._closing:
                raise ClosedError('this client was closed; make another one')
            self._jobs.append(job)
            self._executor.create_task(self._advance)

    def forbid_waiting(self) -> None:
        """Raise if this is the thread that everybody waits for."""
        if threading.current_thread() is self._thread:
            raise VlmClientError('a callback of this client must not wait; use submit in it')

    def close(self, silently: bool = False) -> None:
        """End every call, the thread and the node; again: wait until they have ended.

        Args:
            silently: nobody is told; threads that wait stay so, and end with the program.
        """
        if self._forked:
            return
        with self._lock:
            self._closing = True
            self._silent = silently
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)

    @property
    def _forked(self) -> bool:
        """Whether the thread runs in another process, and with it whoever holds the lock."""
        return os.getpid() != self._pid

    def _spin(self) -> None:
        try:
            while not self._closing and self._context.ok():
                self._turn()
        finally:
            self._end()

    def _turn(self) -> None:
        try:
            self._advance()
            self._executor.spin_once(timeout_sec=_PERIOD_S)
        except BaseException:
            if self._context.ok():
                self._tell()
                time.sleep(_PERIOD_S)  # an error that comes back must not keep a core busy

    def _advance(self) -> None:
        for job in tuple(self._jobs):
            if self._ended(job):
                self._jobs.remove(job)

    def _ended(self, job: Job) -> bool:
        try:
            return job.advance()
        except BaseException as error:
            self._tell()
            fault = VlmClientError(f'a fault in the client: {error!r}')
            fault.__cause__ = error
            self._guard(partial(job.fail, fault))
            return True

    def _guard(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException:  # raised by somebody's callback
            self._tell()

    def _tell(self) -> None:
        self.node.get_logger().error(traceback.format_exc())

    def _end(self) -> None:
        with self._lock:
            why = 'the client was closed' if self._closing else 'ROS was shut down'
            self._closing = True
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            self._guard(job.leave if self._silent else partial(job.fail, ClosedError(why)))
        self._executor.shutdown()
        for waitable in tuple(self.node.waitables):  # which destroy_node leaves, and so the node
            waitable.destroy()
        self.node.destroy_node()
        self._context.try_shutdown()
        atexit.unregister(self.close)  # not before: whoever ends the program waits for this thread

