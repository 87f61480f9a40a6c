"""From a prompt to an answer's text, token by token."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mobilevlm_ros.engine.errors import (
    BackendError,
    CancelledError,
    DeadlineError,
    InterruptionError,
)
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import Sampler
from mobilevlm_ros.engine.steps import Logits, Part, Step, Task
from mobilevlm_ros.engine.text import TextStream
from mobilevlm_ros.engine.timing import Stopwatch
from mobilevlm_ros.engine.types import Chunk, Floats

OnChunk = Callable[[Chunk], None]
Steps = Generator[Step, Logits, None]


class Extend(Protocol):
    """How an answer goes on: one token a step, or several of a draft that were verified."""

    def __call__(self, sequence: int, token: int, sampler: Sampler, most: int) -> Task[list[int]]:
        """Decode a token; returns 1 to `most` that come next, of which the last is not decoded."""


class Constraint(Protocol):
    """What an answer has to keep to; its sampler sees to that until it says that it ends."""

    finish_reason: str  # not empty: the answer ends here

    def close(self) -> Sequence[int]:
        """The tokens that complete what is written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends an answer beside the model itself."""

    max_tokens: int
    stop: tuple[str, ...] = ()


def never() -> bool:
    """Not cancelled."""
    return False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the asker waits."""

    deadline: float = math.inf  # on time.perf_counter
    cancelled: Callable[[], bool] = never

    def interruption(self) -> InterruptionError | None:
        """What to raise if that is over."""
        if self.cancelled():
            return CancelledError('the question was cancelled')
        if time.perf_counter() >= self.deadline:
            return DeadlineError('the deadline passed')
        return None


def one_token(sequence: int, token: int, sampler: Sampler, most: int) -> Task[list[int]]:
    """The plain way on: decode a token, sample the next."""
    (rows,) = yield [Part(sequence, [token])]
    return [sampler(rows[-1])]


class Generation:
    """One answer in the making; what it says of itself is final once `run` has ended."""

    def __init__(
        self,
        llm: LanguageModel,
        sequence: int,
        sampler: Sampler,
        limits: Limits,
        watch: Stopwatch,
        on_chunk: OnChunk,
        extend: Extend = one_token,
        constraint: Constraint | None = None,
    ) -> None:
        self._llm = llm
        self._sequence = sequence
        self._sampler = _checked(sampler)
        self._limits = limits
        self._watch = watch
        self._on_chunk = on_chunk
        self._extend = extend
        self._constraint = constraint
        self._stream = TextStream(limits.stop)
        self.text = ''  # so far
        self.said: list[int] = []  # tokens, the end token left out
        self.finish_reason = ''

    @property
    def tokens(self) -> int:
        """Tokens generated, the end token not counted."""
        return len(self.said)

    @property
    def cut(self) -> bool:
        """Whether a stop string was found, so that not all tokens belong to the text."""
        return self._stream.stopped

    def run(self, prompt: Sequence[int]) -> Steps:
        """Append the prompt and generate until something ends the answer.

        An interruption before the first token is raised; later it ends the answer.
        """
        (rows,) = yield [Part(self._sequence, prompt)]
        self._watch.prefilled = time.perf_counter()
        tokens = [self._sampler(rows[-1])]
        try:
            while not self._take(tokens):
                left = self._limits.max_tokens - self.tokens
                extended = self._extend(self._sequence, tokens[-1], self._sampler, left)
                tokens = yield from extended
        except InterruptionError as end:
            self.finish_reason = end.finish_reason
        self._finish()

    def _take(self, tokens: Sequence[int]) -> bool:
        """Add tokens to the text, up to one that ends it; whether one did."""
        for token in tokens[:-1]:
            if self._add(token):
                return True
        full = self._llm.length(self._sequence) >= self._llm.context_length
        return self._add(tokens[-1], full)

    def _add(self, token: int, full: bool = False) -> bool:
        """Add a token; whether the answer ends with it. `full`: there is no room to decode it."""
        if self._llm.is_end(token):
            self.finish_reason = 'stop'
        else:
            self._say(token)
            self.finish_reason = self._ended() or ('length' if full else '')
        return bool(self.finish_reason)

    def _say(self, token: int) -> None:
        self.said.append(token)
        self._watch.last_at = time.perf_counter()
        self._watch.first_at = self._watch.first_at or self._watch.last_at
        self._show(self._stream.add(self._llm.piece(token)))

    def _ended(self) -> str:
        if self._stream.stopped:
            return 'stop'
        if self._constraint and self._constraint.finish_reason:
            return self._constraint.finish_reason
        return 'length' if self.tokens >= self._limits.max_tokens else ''

    def _finish(self) -> None:
        for token in self._constraint.close() if self._constraint else ():
            self._say(token)
        self._show(self._stream.finish())

    def _show(self, text: str) -> None:
        if text:
            self.text += text
            self._on_chunk(Chunk(text, self.tokens))


def _checked(sampler: Sampler) -> Sampler:
    """The same sampler, for logits whose largest is a number: no token is likeliest otherwise."""

    def sample(logits: Floats) -> int:
        if not np.isfinite(logits.max()):
            raise BackendError(
                'the language model returned values that are not finite; convert the model again'
            )
        return sampler(logits)

    return sample
