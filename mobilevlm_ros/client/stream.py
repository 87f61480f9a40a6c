"""One goal of the streaming action, from its sending to its result."""

from __future__ import annotations

from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from rclpy.action import ActionClient

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client.values import Answer, NoReplyError, result_of


class Streaming:
    """Pieces of the answer as they come; everything but `cancel` runs in the client's thread."""

    def __init__(
        self, client: ActionClient, goal: AskStream.Goal, pieces: SimpleQueue[str | None]
    ) -> None:
        self.pieces = pieces  # None ends them
        self.result: Future[Answer] = Future()
        self._client = client
        self._goal = goal
        self._handle: Any = None
        self._sent = self._cancelled = False

    def advance(self, expired: bool, name: str) -> bool:
        """Send the goal as soon as somebody is there; true once all is over."""
        if self._cancelled and self._handle is not None:
            self._handle.cancel_goal_async()
            self._end(NoReplyError('the stream was left'))
        elif not self._sent and self._client.server_is_ready():
            self._send()
        elif expired and not self.result.done():
            cause = 'did not reply in time' if self._sent else 'offers no ask_stream'
            self._end(NoReplyError(f'{name} {cause}'))
        return self.result.done()

    def cancel(self) -> None:
        """Tell the server to stop, if it has not ended."""
        self._cancelled = not self.result.done()

    def _send(self) -> None:
        self._sent = True
        sending = self._client.send_goal_async(self._goal, feedback_callback=self._hear)
        sending.add_done_callback(self._accepted)

    def _hear(self, message: Any) -> None:
        self.pieces.put(message.feedback.delta)

    def _accepted(self, sending: Any) -> None:
        self._handle = sending.result()
        if not self._handle.accepted:
            self._end(NoReplyError('the goal was rejected; vlm_node is busy or not active'))
            return
        self._handle.get_result_async().add_done_callback(self._finished)

    def _finished(self, getting: Any) -> None:
        if self.result.done():
            return
        result = getting.result().result
        try:
            self.result.set_result(result_of(result.status, result.answer))
        except Exception as error:
            self.result.set_exception(error)
        self.pieces.put(None)

    def _end(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)
            self.pieces.put(None)
