"""Adding up where the time of a look or an answer went."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mobilevlm_ros.engine.generation import Generation
from mobilevlm_ros.engine.types import Timing


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a question came, and the look that was made for it, if one was."""

    at: float = field(default_factory=time.perf_counter)
    looked: Timing | None = None


def ms_since(begin: float) -> float:
    """Milliseconds since a moment on time.perf_counter."""
    return (time.perf_counter() - begin) * 1e3


@dataclass(frozen=True, slots=True)
class PromptSize:
    """Tokens of the parts of a prompt."""

    head: int
    visual: int
    question: int


@dataclass(slots=True)
class Stopwatch:
    """The moments of one answer, on time.perf_counter."""

    arrival: Arrival
    begin: float = field(default_factory=time.perf_counter)
    prefilled: float = 0.0
    image_age_ms: float = 0.0

    def timing(self, size: PromptSize, generation: Generation) -> Timing:
        """The timing of an answer that has ended."""
        arrived, looked = self.arrival.at, self.arrival.looked
        before = looked or Timing(image_age_ms=self.image_age_ms)
        first_at, last_at = generation.first_at, generation.last_at
        return Timing(
            image_age_ms=before.image_age_ms,
            queue_ms=max(0.0, (self.begin - arrived) * 1e3 - before.total_ms),
            encode_ms=before.encode_ms,
            prefill_ms=before.prefill_ms + (self.prefilled - self.begin) * 1e3,
            first_token_ms=(first_at - arrived) * 1e3 if first_at else 0.0,
            decode_ms=(last_at - first_at) * 1e3,
            total_ms=ms_since(arrived),
            visual_tokens=size.visual,
            prompt_tokens=size.head + size.question,
            reused_tokens=size.head if looked else size.head + size.visual,
            generated_tokens=generation.tokens,
        )
