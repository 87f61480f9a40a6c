"""A node and the thread that spins it."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from itertools import count

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

_PERIOD_S = 0.05  # how late a deadline may be noticed
_numbers = count()


class Spinner:
    """Spins a node of its own in a daemon thread; jobs of others run in that thread."""

    def __init__(self, namespace: str = '') -> None:
        """Start, in a context of its own: it does not matter who else uses rclpy, or when."""
        self._context = Context()
        rclpy.init(context=self._context)
        name = f'vlm_client_{os.getpid()}_{next(_numbers)}'
        self.node = Node(
            name,
            namespace=namespace or None,
            context=self._context,
            use_global_arguments=False,
            start_parameter_services=False,
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._jobs: list[Callable[[], bool]] = []
        self._lock = threading.Lock()
        self.closing = False
        self._thread = threading.Thread(target=self._spin, name='vlm_client', daemon=True)
        self._thread.start()

    def repeat(self, job: Callable[[], bool]) -> None:
        """Call a job in the thread now and then until it returns true.

        Raises:
            RuntimeError: after `close`.
        """
        with self._lock:
            if self.closing:
                raise RuntimeError('this client was closed; make another one')
            self._jobs.append(job)
        self._executor.wake()

    def close(self) -> None:
        """End the thread and the node, once every job has seen that it is closing."""
        with self._lock:
            self.closing = True
        self._executor.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    def _spin(self) -> None:
        while not self.closing:
            self._advance()
            try:
                self._executor.spin_once(timeout_sec=_PERIOD_S)
            except Exception:  # of one message; without this thread, nothing would ever end
                self.node.get_logger().error(traceback.format_exc())
        self._advance()
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _advance(self) -> None:
        with self._lock:
            jobs, self._jobs = self._jobs, []
        left = [job for job in jobs if not job()]
        with self._lock:
            self._jobs += left
