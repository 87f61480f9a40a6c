"""~/ask_stream: an answer as it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.engine import Answer, Chunk
from mobilevlm_ros.msg import Query, Status
from mobilevlm_ros.nodes.conversions import answer_to_message
from mobilevlm_ros.nodes.desk import OnChunk, OnPending
from mobilevlm_ros.nodes.pending_query import PendingQuery

RESULT_KEPT_S = 60  # for whoever asks late; 15 minutes by default, for every answer
# How many may be on their way; ten by default, and the rest is lost.
PIECES = 1024  # of answers
GOALS = 200  # and their results
# Answers a query: (query, on_chunk, on_pending) to its status, and the answer if there is one.
Serve = Callable[[Query, OnChunk, OnPending], Awaitable[tuple[Status, Answer | None]]]


class Streams:
    """The action server; goals are answered side by side, as the engine can."""

    def __init__(self, node: Node, serve: Serve, rejects: Callable[[], bool]) -> None:
        """Serve from now on.

        Args:
            node: whose action it is.
            serve: answers a query.
            rejects: asked of each goal that comes while another one is answered.
        """
        self._serve = serve
        self._rejects = rejects
        self._pending: dict[bytes, PendingQuery] = {}  # of the goals that run
        self._running = 0
        qos = QoSProfile(depth=GOALS)
        self._server = ActionServer(
            node,
            AskStream,
            '~/ask_stream',
            execute_callback=self._execute,
            goal_callback=self._accept,
            handle_accepted_callback=self._begin,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
            goal_service_qos_profile=qos,
            result_service_qos_profile=qos,
            cancel_service_qos_profile=qos,
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
        pending = self._pending.get(bytes(goal.goal_id.uuid))
        if pending is not None:
            pending.cancel()
        return CancelResponse.ACCEPT

    def _begin(self, goal: ServerGoalHandle) -> None:
        self._running += 1  # not later: another goal may come before this one is executed
        goal.execute()

    async def _execute(self, goal: ServerGoalHandle) -> AskStream.Result:
        key = bytes(goal.goal_id.uuid)
        try:
            status, answer = await self._serve(
                goal.request.query,
                _feed(goal),
                lambda pending: self._keep(goal, key, pending),
            )
        finally:
            self._running -= 1
            self._pending.pop(key, None)
        _settle(goal, status)
        message = answer_to_message(answer) if answer else AskStream.Result().answer
        return AskStream.Result(status=status, answer=message)

    def _keep(self, goal: ServerGoalHandle, key: bytes, pending: PendingQuery) -> None:
        self._pending[key] = pending
        if goal.is_cancel_requested:  # before there was anything to cancel
            pending.cancel()


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
    """End a goal as its status says; cancelling may have come too late to change that."""
    if status.code == Status.OK:
        goal.succeed()
    elif status.code == Status.CANCELLED and goal.is_cancel_requested:
        goal.canceled()
    else:  # CANCELLED without a request: the node stops
        goal.abort()
