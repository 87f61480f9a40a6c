"""From a Query to its Answer: what the service and the action have in common."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future as Job
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future

from mobilevlm_ros.engine import (
    Answer,
    Chunk,
    EngineConfig,
    EngineWorker,
    NoImageError,
    Question,
)
from mobilevlm_ros.msg import Query
from mobilevlm_ros.nodes.cameras import Cameras
from mobilevlm_ros.nodes.conversions import compressed_to_frame, query_to_question, stamp_to_ns

T = TypeVar('T')
OnChunk = Callable[[Chunk], None]
OnReply = Callable[[Any], None]


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
        max_age_s=config.max_age_s,
        deadline_s=config.deadline_s,
    )


class Desk:
    """Asks the worker; everything runs in the executor's thread, and nothing there waits."""

    def __init__(self, node: Node, worker: EngineWorker, cameras: Cameras) -> None:
        self._node = node
        self._worker = worker
        self._cameras = cameras
        self._images = ThreadPoolExecutor(1, 'images')  # decodes those that queries bring along

    async def answer(
        self,
        query: Query,
        defaults: Question,
        on_chunk: OnChunk = nothing,
        on_reply: OnReply = nothing,
    ) -> Answer:
        """Answer a query.

        Args:
            query: what to ask.
            defaults: what its zeros mean.
            on_chunk: gets each piece of the answer, from another thread.
            on_reply: gets what the question can be cancelled by.

        Raises:
            MobileVlmError: if there is no answer.
        """
        question = query_to_question(query, defaults)
        submit = partial(self._worker.submit, on_chunk=on_chunk)
        if query.image.data:
            frame = await self.finished(self._images.submit(compressed_to_frame, query.image))
            reply = submit(question, frame=frame)
        elif question.session and not query.camera:
            reply = submit(question)
        else:
            reply = await self._submit(query, question, submit)
        on_reply(reply)
        return await self.finished(reply)

    async def finished(self, job: Job[T]) -> T:
        """Wait for another thread; it has to wake the executor, since rclpy does not."""
        wake = self._node.executor.wake
        finished = Future()
        finished.add_done_callback(lambda _: wake())
        job.add_done_callback(finished.set_result)
        await finished
        return job.result()

    def close(self) -> None:
        """Decode no more."""
        self._images.shutdown(wait=False, cancel_futures=True)

    async def _submit(self, query: Query, question: Question, submit: Any) -> Any:
        camera = self._cameras.named(query.camera)
        config = self._cameras.configs[camera]
        if config.max_age_s and not query.max_age.sec and not query.max_age.nanosec:
            question = replace(question, max_age_s=config.max_age_s)
        if query.frame == Query.STAMP:
            return submit(question, camera, stamp_ns=stamp_to_ns(query.stamp))
        newest = query.frame == Query.NEWEST
        if query.frame == Query.NEXT:
            await self._next(camera, question.deadline_s or config.silent_after_s)
            newest = True
        return submit(question, camera, newest=self._cameras.prepare(camera, newest))

    async def _next(self, camera: str, within_s: float) -> None:
        arrived: Future[bool] = Future()
        timer = self._node.create_timer(within_s, lambda: _settle(arrived, False))
        self._cameras.wait(camera, lambda: _settle(arrived, True))
        try:
            if not await arrived:
                raise NoImageError(f'no image from {camera} came within {within_s:g} s')
        finally:
            self._node.destroy_timer(timer)


def _settle(future: Future, value: bool) -> None:
    if not future.done():
        future.set_result(value)


