"""Runs many tasks over one language model: their steps are decoded together.

Tasks join and leave at every step, so that a long answer never holds up a short one. Every call
comes from the thread that owns the language model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.pace import FEWEST, Pace
from mobilevlm_ros.engine.portions import PendingEmbeddings, PendingParts
from mobilevlm_ros.engine.steps import Decoder, Embeddings, Logits, Part, Step, Task
from mobilevlm_ros.engine.types import CAPTION

CHUNK_S = 0.1  # of prefill between two tokens of others
_SHORT = 8  # tokens in a step of an answer that is being generated; more are a prompt

Delivery = Callable[[], None]


class Outcome(Protocol):
    """Where what a task returns or raises goes; called by `deliver`, between two ticks."""

    def succeed(self, result: Any) -> None:
        """Take what the task returned."""

    def fail(self, error: Exception) -> None:
        """Take what the task raised."""

    def interruption(self) -> Exception | None:
        """What to raise in the task now, if it should end."""


@dataclass(slots=True, eq=False)
class Job:
    """A task, and how far it is."""

    task: Task[Any]
    outcome: Outcome
    priority: int = 0
    cells: int = 0  # of the KV cache that it may come to use
    pending: PendingParts | PendingEmbeddings | None = field(default=None, init=False)


class Scheduler:
    """Takes the steps of all jobs together, one batch a tick."""

    def __init__(self, llm: Decoder, batch_tokens: int, pace: Pace | None = None) -> None:
        self._llm = llm
        self._batch_tokens = batch_tokens
        self._pace = pace or Pace()
        self._jobs: list[Job] = []
        self._look_next = True
        self._outbox: list[Delivery] = []

    @property
    def jobs(self) -> Sequence[Job]:
        """Those that have begun and not ended."""
        return self._jobs

    def add(self, job: Job) -> None:
        """Begin a job: its task runs up to its first step."""
        self._jobs.append(job)
        self._advance(job, partial(next, job.task))

    def drop(self, job: Job) -> None:
        """End a job without an outcome."""
        if job in self._jobs:
            self._jobs.remove(job)
            job.task.close()

    def close(self) -> None:
        """End all jobs without an outcome."""
        for job in list(self._jobs):
            self.drop(job)

    def post(self, delivery: Delivery) -> None:
        """Call something between two ticks: it may do whatever it likes, even close the engine."""
        self._outbox.append(delivery)

    def deliver(self) -> bool:
        """Call what was posted, in order; false if nothing was."""
        delivers = bool(self._outbox)
        while self._outbox:
            self._outbox.pop(0)()
        return delivers

    def tick(self) -> bool:
        """Decode one batch; false if there was nothing to decode."""
        self._interrupt()
        talks = self._talks()
        looks = [job for job in self._jobs if isinstance(job.pending, PendingEmbeddings)]
        if looks and (self._look_next or not talks):
            self._look_next = False
            self._decode_look(looks[0], alone=not talks)
        elif talks:
            self._look_next = True
            self._decode_talks(talks)
        return bool(talks or looks)

    def _talks(self) -> list[Job]:
        """Those whose parts are due, the shortest first. A caption yields to all others."""
        talks = [job for job in self._jobs if isinstance(job.pending, PendingParts)]
        if any(job.priority < CAPTION for job in talks):
            talks = [job for job in talks if job.priority < CAPTION]
        return sorted(talks, key=_remaining)

    def _interrupt(self) -> None:
        for job in list(self._jobs):
            if error := job.outcome.interruption():
                self._advance(job, partial(job.task.throw, error))

    def _decode_look(self, job: Job, alone: bool) -> None:
        pending = job.pending
        assert isinstance(pending, PendingEmbeddings)
        most = pending.remaining if alone else self._pace.tokens(CHUNK_S)
        chunk = pending.next(most)
        try:
            self._timed(len(chunk.values), partial(self._decode_embeddings, chunk))
        except Exception as error:
            self._advance(job, partial(job.task.throw, error))
            return
        pending.take(chunk)
        if pending.done:
            self._advance(job, partial(job.task.send, []))

    def _decode_talks(self, jobs: Sequence[Job]) -> None:
        room = self._room(jobs)
        portions: list[tuple[Job, list[Part]]] = []
        for job in jobs:
            assert isinstance(job.pending, PendingParts)
            if parts := job.pending.next(room):
                portions.append((job, parts))
                room -= sum(len(part.tokens) for part in parts)
        self._decode(portions)

    def _room(self, jobs: Sequence[Job]) -> int:
        """Tokens of the next batch: what others generate must not wait long for a prompt."""
        short = sum(_remaining(job) for job in jobs if _remaining(job) <= _SHORT)
        if not short:
            return self._batch_tokens
        return min(self._batch_tokens, max(self._pace.tokens(CHUNK_S), short + FEWEST))

    def _decode(self, portions: Sequence[tuple[Job, list[Part]]]) -> None:
        """Decode together; one by one if that fails, so that only the guilty one has the error."""
        parts = [part for _, own in portions for part in own]
        count = sum(len(part.tokens) for part in parts)
        try:
            logits = self._timed(count, partial(self._llm.decode_parts, parts))
        except Exception as error:
            if len(portions) > 1:
                for portion in portions:
                    self._decode([portion])
            else:
                job = portions[0][0]
                self._advance(job, partial(job.task.throw, error))
            return
        for job, own in portions:
            found, logits = logits[: len(own)], logits[len(own) :]
            self._take(job, own, found)

    def _take(self, job: Job, parts: list[Part], logits: Logits) -> None:
        pending = job.pending
        assert isinstance(pending, PendingParts)
        pending.take(parts, logits)
        if pending.done:
            self._advance(job, partial(job.task.send, pending.logits()))

    def _decode_embeddings(self, chunk: Embeddings) -> Logits:
        self._llm.decode_embeddings(chunk.sequence, chunk.values)
        return []

    def _timed(self, count: int, call: Callable[[], Logits]) -> Logits:
        begin = time.perf_counter()
        logits = call()
        self._pace.learn(count, time.perf_counter() - begin)
        return logits

    def _advance(self, job: Job, run: Callable[[], Step]) -> None:
        """Run a task up to its next step, or note what it returned or raised."""
        try:
            step = run()
            while not _is_whole(step):
                step = job.task.throw(BackendError('a step has nothing to decode'))
        except StopIteration as end:
            self._end(job, partial(job.outcome.succeed, end.value))
        except Exception as error:
            self._end(job, partial(job.outcome.fail, error))
        else:
            job.pending = (
                PendingEmbeddings(step) if isinstance(step, Embeddings) else PendingParts(step)
            )

    def _end(self, job: Job, delivery: Delivery) -> None:
        self._jobs.remove(job)
        self._outbox.append(delivery)


def _remaining(job: Job) -> int:
    return job.pending.remaining if job.pending else 0


def _is_whole(step: Step) -> bool:
    """Whether there is something in every part of a step."""
    if isinstance(step, Embeddings):
        return len(step.values) > 0
    return len(step) > 0 and all(len(part.tokens) > 0 for part in step)
