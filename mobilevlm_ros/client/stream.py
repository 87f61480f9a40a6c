"""One goal of the streaming action, from its sending to its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client.link import Link
from mobilevlm_ros.client.values import Answer, NoReplyError, result_of


class Streaming:
    """Pieces of the answer as they come; everything but `cancel` runs in the client's thread.

    Pieces that get lost, or that the result overtakes, are made good from the result: joined, the
    pieces are the answer's text.
    """

    def __init__(
        self,
        client: ActionClient,
        goal: AskStream.Goal,
        link: Link,
        name: str,
        expired: Callable[[], bool],
    ) -> None:
        """Send nothing yet.

        Args:
            client: of the action.
            goal: to send.
            link: to the same vlm_node.
            name: of the vlm_node, for errors.
            expired: whether to give up.
        """
        self.pieces: SimpleQueue[str | None] = SimpleQueue()  # None ends them
        self.result: Future[Answer] = Future()
        self._client = client
        self._goal = goal
        self._link = link
        self._name = name
        self._expired = expired
        self._handle: Any = None
        self._sent = 0  # generation of the server that has the goal
        self._cancelled = False
        self._text = ''  # that was passed on
        self._heard = 0  # pieces that were passed on

    def advance(self) -> bool:
        """Send the goal as soon as the way is open; true once all is over."""
        self._link.advance()
        if self._cancelled and (self._handle is not None or not self._sent):
            self._end(NoReplyError('the stream was left'))
        elif not self._cancelled and self._handle is None and self._open():
            self._send()
        if not self.result.done() and self._expired():
            self._end(NoReplyError(f'{self._name} {self._link.fault}'))
        return self.result.done()

    def cancel(self) -> None:
        """Tell the server to stop, if it has not ended."""
        self._cancelled = not self.result.done()

    def _open(self) -> bool:
        # Once a reply found its way back, so will pieces: their subscription is older.
        new = self._link.open and self._sent != self._link.generation
        return new and bool(self._client.server_is_ready())

    def _send(self) -> None:
        attempt = self._sent = self._link.generation
        sending = self._client.send_goal_async(
            self._goal, feedback_callback=partial(self._hear, attempt)
        )
        sending.add_done_callback(partial(self._accepted, attempt))

    def _hear(self, attempt: int, message: Any) -> None:
        if attempt == self._sent and message.feedback.piece == self._heard:
            self._heard += 1
            self._pass_on(message.feedback.delta)

    def _accepted(self, attempt: int, sending: Any) -> None:
        handle = sending.result()
        if attempt != self._sent:  # another server has it by now
            handle.cancel_goal_async()
        elif handle.accepted:
            self._handle = handle
            handle.get_result_async().add_done_callback(self._finished)
        else:
            self._end(NoReplyError('the goal was rejected; vlm_node is busy or not active'))

    def _finished(self, getting: Any) -> None:
        wrapped = getting.result()
        if self.result.done():
            return
        if wrapped.status == GoalStatus.STATUS_UNKNOWN:  # it comes from another server
            self._end(NoReplyError(f'{self._name} was restarted while it answered'))
            return
        answer = wrapped.result.answer
        if answer.text.startswith(self._text):
            self._pass_on(answer.text[len(self._text) :])
        try:
            self.result.set_result(result_of(wrapped.result.status, answer))
        except Exception as error:
            self.result.set_exception(error)
        self.pieces.put(None)

    def _pass_on(self, piece: str) -> None:
        if piece:
            self._text += piece
            self.pieces.put(piece)

    def _end(self, error: Exception) -> None:
        if self.result.done():
            return
        if self._handle is not None:
            self._handle.cancel_goal_async()
        self.result.set_exception(error)
        self.pieces.put(None)
