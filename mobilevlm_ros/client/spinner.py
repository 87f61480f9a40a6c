"""A node and the thread that spins it."""

from __future__ import annotations

import os
import threading
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
        self._running = True
        self._thread = threading.Thread(target=self._spin, name='vlm_client', daemon=True)
        self._thread.start()

    def repeat(self, job: Callable[[], bool]) -> None:
        """Call a job in the thread now and then until it returns true."""
        with self._lock:
            self._jobs.append(job)
        self._executor.wake()

    def close(self) -> None:
        """End the thread and the node."""
        self._running = False
        self._executor.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)
        self._executor.remove_node(self.node)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        while self._running:
            with self._lock:
                jobs, self._jobs = self._jobs, []
            left = [job for job in jobs if not job()]
            with self._lock:
                self._jobs += left
            self._executor.spin_once(timeout_sec=_PERIOD_S)
