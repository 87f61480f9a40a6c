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


def answer_timing(
    arrival: Arrival,
    begin: float,
    prefilled: float,
    image_age_ms: float,
    visual_tokens: int,
    head_tokens: int,
    question_tokens: int,
    generation: Generation,
) -> Timing:
    """The timing of an answer that has ended; moments are on time.perf_counter."""
    looked = arrival.looked or Timing(image_age_ms=image_age_ms)
    reused = head_tokens + (0 if arrival.looked else visual_tokens)
    waited_ms = (begin - arrival.at) * 1e3
    first_at, last_at = generation.first_at, generation.last_at
    return Timing(
        image_age_ms=looked.image_age_ms,
        queue_ms=max(0.0, waited_ms - looked.total_ms),
        encode_ms=looked.encode_ms,
        prefill_ms=looked.prefill_ms + (prefilled - begin) * 1e3,
        first_token_ms=(first_at - arrival.at) * 1e3 if first_at else 0.0,
        decode_ms=(last_at - first_at) * 1e3,
        total_ms=ms_since(arrival.at),
        visual_tokens=visual_tokens,
        prompt_tokens=head_tokens + question_tokens,
        reused_tokens=reused,
        generated_tokens=generation.tokens,
    )
