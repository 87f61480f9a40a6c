"""One query on its way to its answer, and what ends its waiting before."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from mobilevlm_ros.engine import (
    Answer,
    Arrival,
    CancelledError,
    MobileVlmError,
    Question,
    Reply,
    ms_since,
)
from mobilevlm_ros.nodes.clocks import steady_timer


class PendingQuery:
    """Awaits what a query needs, in the executor's thread; nothing there blocks."""

    def __init__(self, node: Node, question: Question, camera: str) -> None:
        """It counts from now.

        Args:
            node: whose executor.
            question: what is asked.
            camera: that it is about; empty: not known.
        """
        self.question = question
        self.camera = camera
        self.arrival = Arrival()
        self._node = node
        self._wake = node.executor.wake
        self._settled: Future | None = None  # of what is waited for
        self._reply: Reply | None = None
        self._error: MobileVlmError | None = None

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; infinite without one."""
        return (self.question.deadline_s or math.inf) - ms_since(self.arrival.at) / 1e3

    def cancel(self) -> None:
        """The client gave up."""
        self.end(CancelledError('cancelled by the client'))

    def end(self, error: MobileVlmError) -> None:
        """Wait no longer; an answer that has begun ends with what there is. From any thread."""
        self._error = self._error or error
        if self._reply is not None:
            self._reply.cancel()
        elif self._settled is not None:
            _settle(self._settled)

    def check(self) -> None:
        """Raise what it was ended with, if it was."""
        if self._error is not None:
            raise self._error

    async def wait(self, job: Any, within_s: float, late: Callable[[], MobileVlmError]) -> Any:
        """What a job comes to.

        Args:
            job: a future of rclpy or of concurrent.futures.
            within_s: how long to wait.
            late: makes what is raised then.
        """
        self.check()
        timer = self._timer(within_s, lambda: self.end(late()))
        try:
            await self._until(job)
        finally:
            job.cancel()  # if it was not done, nobody wants it any more
            if timer is not None:
                self._node.destroy_timer(timer)
        self.check()
        return job.result()

    async def answered(self, reply: Reply) -> Answer:
        """The answer; from now on the engine sees to the deadline."""
        self._reply = reply
        if self._error is not None:
            reply.cancel()
        await self._until(reply)
        return reply.result()

    @property
    def reply(self) -> Reply | None:
        """What the engine owes; None: nothing yet."""
        return self._reply

    async def _until(self, job: Any) -> None:
        settled = self._settled = Future()
        settled.add_done_callback(lambda _: self._wake())  # rclpy does not, from another thread
        job.add_done_callback(lambda _: _settle(settled))
        await settled

    def _timer(self, seconds: float, late: Callable[[], None]) -> Any:
        if seconds == math.inf:
            return None
        return steady_timer(self._node, max(seconds, 0.0), late)


def _settle(future: Future) -> None:
    if not future.done():
        future.set_result(None)
