"""Adding up where the time of a look or an answer went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mobilevlm_ros.engine.types import Header, Timing


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
    """Tokens of a prompt."""

    text: int  # head and everything behind the image
    visual: int
    found: int  # of both, those that were in the cache


@dataclass(slots=True)
class Stopwatch:
    """The moments of one answer, on time.perf_counter."""

    arrival: Arrival
    header: Header  # of the image that the answer is about
    age_s: Callable[[Header], float]
    encoded_s: float  # when the image arrived that was encoded, on freshness.steady_s
    image_age_ms: float = field(init=False)
    begin: float = field(default_factory=time.perf_counter)
    prefilled: float = 0.0
    first_at: float = 0.0  # the first token
    last_at: float = 0.0

    def __post_init__(self) -> None:
        self.image_age_ms = self.age_s(self.header) * 1e3

    def timing(self, size: PromptSize, generated: int) -> Timing:
        """The timing of an answer that has ended."""
        arrived, looked = self.arrival.at, self.arrival.looked
        before = looked or Timing()
        prefilled = self.prefilled or time.perf_counter()  # or it was interrupted before
        unchanged_ms = (self.header.arrived_s - self.encoded_s) * 1e3
        use_begins = looked is None or unchanged_ms  # with the answer, else with the look
        return Timing(
            image_age_ms=self.image_age_ms if use_begins else before.image_age_ms,
            final_age_ms=self.age_s(self.header) * 1e3,
            unchanged_ms=unchanged_ms,
            queue_ms=max(0.0, (self.begin - arrived) * 1e3 - before.total_ms),
            encode_ms=before.encode_ms,
            prefill_ms=before.prefill_ms + (prefilled - self.begin) * 1e3,
            first_token_ms=(self.first_at - arrived) * 1e3 if self.first_at else 0.0,
            decode_ms=(self.last_at - self.first_at) * 1e3,
            total_ms=ms_since(arrived),
            visual_tokens=size.visual,
            prompt_tokens=size.text,
            reused_tokens=size.found - size.visual if looked else size.found,
            generated_tokens=generated,
        )
