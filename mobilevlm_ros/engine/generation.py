"""From the logits after a prompt to an answer's text, token by token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.engine.errors import BackendError, CancelledError, DeadlineError
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import Sampler
from mobilevlm_ros.engine.text import TextStream
from mobilevlm_ros.engine.types import Chunk, Floats

Cancelled = Callable[[], bool]


def never() -> bool:
    """A Cancelled that never is."""
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends an answer beside the model itself."""

    max_tokens: int
    stop: tuple[str, ...] = ()
    deadline: float = math.inf  # on time.perf_counter
    cancelled: Cancelled = never

    def interruption(self) -> str:
        """The reason to end now, if there is one."""
        if self.cancelled():
            return 'cancelled'
        return 'deadline' if time.perf_counter() >= self.deadline else ''

    def check(self) -> None:
        """Raise if an answer need not even begin."""
        reason = self.interruption()
        if reason == 'cancelled':
            raise CancelledError('the question was cancelled before its answer began')
        if reason == 'deadline':
            raise DeadlineError('the deadline passed before the answer began; allow more time')


class Generation:
    """One answer in the making; what it says of itself is final once `run` has ended."""

    def __init__(
        self, llm: LanguageModel, sequence: int, sampler: Sampler, limits: Limits
    ) -> None:
        self._llm = llm
        self._sequence = sequence
        self._sampler = sampler
        self._limits = limits
        self._stream = TextStream(limits.stop)
        self.text = ''  # so far
        self.tokens = 0  # the end token not counted
        self.finish_reason = ''
        self.first_at = self.last_at = 0.0  # on time.perf_counter

    def run(self, logits: Floats) -> Iterator[Chunk]:
        """Generate until something ends the answer."""
        while not self.finish_reason:
            token = self._sampler(_checked(logits))
            if self._llm.is_end(token):
                self.finish_reason = 'stop'
                break
            self._count()
            yield from self._chunk(self._stream.add(self._llm.piece(token)))
            self.finish_reason = self._ended()
            if not self.finish_reason:
                logits = self._llm.decode(self._sequence, [token])
        yield from self._chunk(self._stream.finish())

    def _chunk(self, text: str) -> Iterator[Chunk]:
        if text:
            self.text += text
            yield Chunk(text, self.tokens)

    def _count(self) -> None:
        self.tokens += 1
        self.last_at = time.perf_counter()
        self.first_at = self.first_at or self.last_at

    def _ended(self) -> str:
        if self._stream.stopped:
            return 'stop'
        full = self._llm.length(self._sequence) >= self._llm.context_length
        if self.tokens >= self._limits.max_tokens or full:
            return 'length'
        return self._limits.interruption()


def _checked(logits: Floats) -> Floats:
    """The logits, whose largest is a number: no token is likeliest otherwise."""
    if not np.isfinite(logits.max()):
        raise BackendError(
            'the language model returned values that are not finite; convert the model again'
        )
    return logits
