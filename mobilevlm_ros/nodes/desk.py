"""From a Query to its Answer: what the service and the action have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from mobilevlm_ros.engine import (
    Answer,
    Chunk,
    ClosedError,
    DeadlineError,
    EngineConfig,
    EngineWorker,
    InterruptionError,
    NoImageError,
    Question,
    Reply,
)
from mobilevlm_ros.msg import Query, Status
from mobilevlm_ros.nodes.cameras import Cameras
from mobilevlm_ros.nodes.conversions import (
    answer_to_status,
    compressed_to_frame,
    error_to_status,
    query_to_question,
    stamp_to_ns,
)
from mobilevlm_ros.nodes.pending_query import PendingQuery

OnChunk = Callable[[Chunk], None]
OnPending = Callable[[PendingQuery], None]


def nothing(_: Any) -> None:
    """Do nothing."""


def defaults_of(config: EngineConfig) -> Question:
    """What the zeros of a Query mean; the engine's settings cannot change, these can."""
    return Question(
        'default',
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        repeat_penalty=config.repeat_penalty,
        max_age_s=config.max_age_s or math.inf,
        deadline_s=config.deadline_s or math.inf,
    )


class Desk:
    """Asks the worker; everything runs in the executor's thread, and nothing there waits."""

    def __init__(
        self,
        node: Node,
        worker: EngineWorker,
        cameras: Cameras,
        queued: Callable[[int], None],
    ) -> None:
        """Ask nothing yet.

        Args:
            node: whose executor.
            worker: what is asked.
            cameras: what most questions are about.
            queued: told after each question how many wait.
        """
        self._node = node
        self._worker = worker
        self._cameras = cameras
        self._queued = queued
        self._images = ThreadPoolExecutor(1, 'images')  # decodes those that queries bring along
        self._pending: set[PendingQuery] = set()

    async def answer(
        self,
        query: Query,
        defaults: Question,
        on_chunk: OnChunk = nothing,
        on_pending: OnPending = nothing,
    ) -> tuple[Status, Answer]:
        """Answer a query; cancelled or too late, with what there is by then.

        Args:
            query: what to ask.
            defaults: what its zeros mean.
            on_chunk: gets each piece of the answer, from another thread.
            on_pending: gets what the query can be cancelled by.

        Raises:
            MobileVlmError: if there is no answer.
        """
        question = query_to_question(query, defaults)
        pending = PendingQuery(self._node, question, self._camera(query))
        self._pending.add(pending)
        on_pending(pending)
        try:
            reply = await self._submit(pending, query, on_chunk)
            self._queued(self._worker.load().waiting)
            answer = await pending.answered(reply)
            return answer_to_status(answer), answer
        except NoImageError as error:
            raise error if pending.camera else self._cameras.explained(error) from None
        except InterruptionError as end:
            return error_to_status(end), self._unanswered(pending, end.finish_reason)
        except ClosedError as end:
            return error_to_status(end), self._unanswered(pending, 'cancelled')
        finally:
            self._pending.discard(pending)

    def close(self) -> Sequence[Reply]:
        """End all that is asked; returns what ends at the next token, with what there is."""
        for pending in self._pending:
            pending.end(ClosedError('vlm_node stops; ask again when it is active'))
        self._images.shutdown(wait=False, cancel_futures=True)
        return [pending.reply for pending in self._pending if pending.reply is not None]

    def _unanswered(self, pending: PendingQuery, finish_reason: str) -> Answer:
        return self._worker.unanswered(
            pending.question, pending.arrival, finish_reason, pending.camera
        )

    def _camera(self, query: Query) -> str:
        """The camera that a query is about; empty: an image, or what its session is about."""
        if query.image.data:
            return ''
        if query.session and not query.camera:
            if query.frame == Query.HELD:
                return ''
            self._cameras.check_single('frame is not HELD and session is given without camera')
        return self._cameras.named(query.camera)

    async def _submit(self, pending: PendingQuery, query: Query, on_chunk: OnChunk) -> Reply:
        question, camera = pending.question, pending.camera
        submit = partial(self._worker.submit, on_chunk=on_chunk, arrival=pending.arrival)
        if query.image.data:
            return submit(question, frame=await self._decode(pending, query))
        pending.check()
        named = query.frame == Query.STAMP
        if not query.max_age.sec and not query.max_age.nanosec:
            # Whoever names a stamp knows how old the image is.
            default_s = self._cameras.max_age_s(camera, question.max_age_s)
            question = replace(question, max_age_s=math.inf if named else default_s)
        if not camera:
            return submit(question)  # about what the conversation is about
        if named:
            self._cameras.prepare(camera, newest=False)
            return submit(question, camera, stamp_ns=stamp_to_ns(query.stamp))
        newest = query.frame == Query.NEWEST
        if query.frame == Query.NEXT:
            await self._next(pending, self._cameras.config_of(camera).silent_after_s)
            newest = True
        return submit(question, camera, newest=self._cameras.prepare(camera, newest))

    async def _decode(self, pending: PendingQuery, query: Query) -> Any:
        job = self._images.submit(compressed_to_frame, query.image)
        return await pending.wait(
            job,
            pending.left_s,
            lambda: DeadlineError('the deadline passed while the image was decoded'),
        )

    async def _next(self, pending: PendingQuery, silent_after_s: float) -> None:
        """Wait for an image; until the deadline, or without one for as long as may be silence."""
        limited = math.isfinite(pending.left_s)
        within_s = pending.left_s if limited else silent_after_s

        def late() -> DeadlineError | NoImageError:
            absence = self._cameras.absence(pending.camera)
            text = f'no image from {pending.camera} came within {within_s:.3g} s: {absence}'
            return DeadlineError(text) if limited else NoImageError(text)

        arrived = Future()
        self._cameras.wait(pending.camera, arrived)
        await pending.wait(arrived, within_s, late)
