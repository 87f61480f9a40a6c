"""One goal of the streaming action, from its sending to its result."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client.link import Link
from mobilevlm_ros.client.patience import Patience
from mobilevlm_ros.client.values import (
    Answer,
    NoReplyError,
    RefusedError,
    VlmClientError,
    now_s,
    outcome_of,
)
from mobilevlm_ros.msg import Status

Put = Callable[[str | None], object]


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
        put: Put,
        patience: Patience,
    ) -> None:
        """Send nothing yet.

        Args:
            client: of the action.
            goal: to send.
            link: to the same vlm_node.
            put: gets every piece, and None behind the last one, when there is a result.
            patience: how long to wait.
        """
        self.result: Future[Answer] = Future()
        self._client = client
        self._goal = goal
        self._link = link
        self._put = put
        self._patience = patience
        self._sendings: dict[int, Any] = {}  # rclpy's futures of handles, by generation
        self._sent = 0  # generation of the server that has the goal
        self._sent_s = 0.0  # when it was sent, on the clock of now_s
        self._handle: Any = None  # of the goal, once it was accepted
        self._getting: Any = None  # rclpy's future of the result
        self._heard: deque[Any] = deque()  # feedback that was not looked at
        self._cancelled = False
        self._text = ''  # that was passed on
        self._pieces = 0  # that were passed on

    def advance(self) -> bool:
        """Send the goal as soon as the way is open; true once all is over."""
        self._link.advance()
        if self._cancelled and (self._handle is not None or not self._sent):
            self.fail(NoReplyError('the stream was left'))
        elif not self._cancelled and self._handle is None and self._open():
            self._send()
        self._accept()
        self._listen()
        if self._getting is not None and self._getting.done():
            self._finish(self._getting.result())
        if self._patience.over():
            self._give_up()
        return self.result.done()

    def cancel(self) -> None:
        """Tell the server to stop, if it has not ended."""
        self._cancelled = True

    def fail(self, error: VlmClientError) -> None:
        """End with an error, unless it has ended."""
        if self.result.done():
            return
        self.result.set_exception(error)
        self._put(None)
        self.leave()

    def leave(self) -> None:
        """Cancel the goal."""
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def _open(self) -> bool:
        # Once a reply found its way back, so will pieces: their subscription is older.
        new = self._link.open and self._sent != self._link.generation
        return new and bool(self._client.server_is_ready())

    def _send(self) -> None:
        self._sent, self._sent_s = self._link.generation, now_s()
        self._patience.sent()
        self._heard = deque()  # of this server alone
        self._sendings[self._sent] = self._client.send_goal_async(
            self._goal, feedback_callback=self._heard.append
        )

    def _accept(self) -> None:
        for generation in [one for one, sending in self._sendings.items() if sending.done()]:
            handle = self._sendings.pop(generation).result()
            if generation != self._sent:  # another server has it by now
                handle.cancel_goal_async()
            elif handle.accepted:
                self._handle = handle
                self._getting = handle.get_result_async()
            else:
                self.fail(RefusedError('BUSY', 'another goal is under way (streams: reject)'))

    def _listen(self) -> None:
        while self._heard:
            feedback = self._heard.popleft().feedback
            if feedback.piece == self._pieces:
                self._pieces += 1
                self._pass_on(feedback.delta)

    def _finish(self, wrapped: Any) -> None:
        if self.result.done():
            return
        if wrapped.status == GoalStatus.STATUS_UNKNOWN:  # it comes from another server
            self.fail(NoReplyError(f'{self._link.name} was restarted while it answered'))
            return
        status, answer = wrapped.result.status, wrapped.result.answer
        if wrapped.status == GoalStatus.STATUS_ABORTED and status.code == Status.OK:
            self.fail(RefusedError('INTERNAL', f'{self._link.name} failed; its log says more'))
            return
        if answer.text.startswith(self._text):
            self._pass_on(answer.text[len(self._text) :])
        outcome = outcome_of(status, answer, self._sent_s)
        if isinstance(outcome, RefusedError):
            self.fail(outcome)
        else:
            self.result.set_result(outcome)
            self._put(None)

    def _give_up(self) -> None:
        for future in (*self._sendings.values(), self._getting):
            if future is not None:
                future.cancel()  # rclpy keeps it otherwise
        self.fail(NoReplyError(self._link.fault))

    def _pass_on(self, piece: str) -> None:
        if piece:
            self._text += piece
            self._put(piece)
