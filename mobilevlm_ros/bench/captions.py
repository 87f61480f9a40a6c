"""Captions of a slowly changing view: accepted drafts of one model on the costs of another.

Random weights have nothing to say, so that nothing could be guessed. How many guesses come true
is measured on a model that can see (benchmarks/caption_trace.py) and replayed here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilevlm_ros.engine import ConfigError

GATE = 'change'  # captions when something changed


@dataclass(frozen=True, slots=True)
class Trace:
    """Tokens proposed and accepted in each step of each caption, after its first token."""

    rows: int  # most tokens decoded at once
    steps: tuple[tuple[tuple[int, int], ...], ...]


def read_traces(path: Path) -> list[Trace]:
    """What benchmarks/caption_trace.py wrote."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        return [
            Trace(each['rows'], tuple(tuple((p, a) for p, a in steps) for steps in each['steps']))
            for each in content['traces']
            if each['gate'] == GATE
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f'{path} is no trace of captions; give what benchmarks/caption_trace.py wrote'
        ) from error


def replay(trace: Trace, costs: Sequence[float]) -> tuple[float, float]:
    """Tokens of a caption behind its first one, and what they cost, both on average.

    Args:
        trace: the captions.
        costs: of decoding 1, 2, ... tokens at once.
    """
    steps = [step for caption in trace.steps for step in caption]
    captions = max(1, len(trace.steps))
    tokens = sum(1 + accepted for _, accepted in steps) / captions
    return tokens, sum(costs[proposed] for proposed, _ in steps) / captions


def best_replay(
    traces: Sequence[Trace], costs: Sequence[float], rows: int
) -> tuple[float, float] | None:
    """The replay with most tokens for its cost, among those that keep to so many at once."""
    allowed = [trace for trace in traces if trace.rows <= min(rows, len(costs))]
    replays = [replay(trace, costs) for trace in allowed]
    return max(replays, key=lambda found: found[0] / found[1], default=None)


def caption_rate(first_ms: float, tokens: float, cost_ms: float) -> float:
    """Tokens a second of captions: of each the first, and so many more at such a cost."""
    return (1 + tokens) / (first_ms + cost_ms) * 1e3
