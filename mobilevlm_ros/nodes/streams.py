"""~/ask_stream: an answer as it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.engine import Answer, Chunk
from mobilevlm_ros.msg import Query, Status
from mobilevlm_ros.nodes.conversions import answer_to_message
from mobilevlm_ros.nodes.desk import OnChunk, OnReply

RESULT_KEPT_S = 60  # for whoever asks late; 15 minutes by default, for every answer
PIECES = 1024  # of answers that may be on their way; ten by default, and the rest is lost
# Answers a query: (query, on_chunk, on_reply) to its status, and the answer if there is one.
Serve = Callable[[Query, OnChunk, OnReply], Awaitable[tuple[Status, Answer | None]]]


class Streams:
    """The action server; goals are answered side by side, as the engine can."""

    def __init__(self, node: Node, serve: Serve, rejects: Callable[[], bool]) -> None:
        """Serve from now on.

        Args:
            node: whose action it is.
            serve: answers a query.
            rejects: whether a goal is rejected while another one is answered.
        """
        self._serve = serve
        self._rejects = rejects
        self._replies: dict[bytes, Any] = {}  # what goals that run can be cancelled by
        self._running = 0
        self._server = ActionServer(
            node,
            AskStream,
            '~/ask_stream',
            execute_callback=self._execute,
            goal_callback=self._accept,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
            feedback_pub_qos_profile=QoSProfile(depth=PIECES),
            result_timeout=RESULT_KEPT_S,
        )

    def close(self) -> None:
        """Serve no more."""
        self._server.destroy()

    def _accept(self, _: AskStream.Goal) -> GoalResponse:
        reject = self._running > 0 and self._rejects()
        return GoalResponse.REJECT if reject else GoalResponse.ACCEPT

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        reply = self._replies.get(bytes(goal.goal_id.uuid))
        if reply is not None:
            reply.cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, goal: ServerGoalHandle) -> AskStream.Result:
        key = bytes(goal.goal_id.uuid)
        self._running += 1
        try:
            status, answer = await self._serve(
                goal.request.query,
                _feed(goal),
                lambda reply: self._keep(goal, key, reply),
            )
        finally:
            self._running -= 1
            self._replies.pop(key, None)
        _settle(goal, status)
        message = answer_to_message(answer) if answer else AskStream.Result().answer
        return AskStream.Result(status=status, answer=message)

    def _keep(self, goal: ServerGoalHandle, key: bytes, reply: Any) -> None:
        self._replies[key] = reply
        if goal.is_cancel_requested:  # before there was anything to cancel
            reply.cancel()


def _feed(goal: ServerGoalHandle) -> OnChunk:
    """What publishes the pieces of one answer; called from the engine's thread."""
    numbers = count()

    def feed(chunk: Chunk) -> None:
        if goal.is_active:
            feedback = AskStream.Feedback(
                piece=next(numbers), delta=chunk.text, generated_tokens=chunk.generated_tokens
            )
            goal.publish_feedback(feedback)

    return feed


def _settle(goal: ServerGoalHandle, status: Status) -> None:
    if goal.is_cancel_requested:
        goal.canceled()
    elif status.code == Status.OK:
        goal.succeed()
    else:
        goal.abort()
