"""What was answered lately: counts, rates and percentiles, for diagnostics.

Diagnostics come once a second: what happens in between is kept until it was reported.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace

import numpy as np

from mobilevlm_ros.engine import Timing

WINDOW_S = 60.0
MOST = 4096  # answers kept
STAGES = ('queue_ms', 'encode_ms', 'prefill_ms', 'first_token_ms', 'total_ms')
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened since the last report, however shortly."""

    faults: int = 0  # requests that ended with INTERNAL
    refused: int = 0  # with BUSY
    most_waiting: int = 0  # questions in the queue


@dataclass(slots=True)
class Record:
    """Grows with every request that ended; old ones fall out of the window."""

    counts: Counter[str] = field(default_factory=Counter)  # by status, since the start
    faults: int = 0  # INTERNAL ones since the last success
    happened: Happened = Happened()
    _recent: deque[tuple[float, Timing]] = field(default_factory=lambda: deque(maxlen=MOST))

    def add(self, code: str, timing: Timing | None, now_s: float) -> None:
        """Note a request that ended with this status, and its timing if it was answered."""
        self.counts[code] += 1
        self.judge(code)
        if timing is not None:
            self._recent.append((now_s, timing))

    def judge(self, code: str) -> None:
        """Count a fault; only a success ends them, since what is refused proves nothing."""
        if code in ('OK', 'INTERNAL'):
            self.faults = self.faults + 1 if code == 'INTERNAL' else 0
        since = self.happened
        if code == 'INTERNAL':
            self.happened = replace(since, faults=since.faults + 1)
        elif code == 'BUSY':
            self.happened = replace(since, refused=since.refused + 1)

    def wait(self, waiting: int) -> None:
        """Note how many questions are in the queue."""
        most = max(waiting, self.happened.most_waiting)
        self.happened = replace(self.happened, most_waiting=most)

    def reported(self) -> None:
        """Note that what happened was reported."""
        self.happened = Happened()

    def rate_hz(self, now_s: float) -> float:
        """Answers a second within the window."""
        self._forget(now_s)
        return len(self._recent) / WINDOW_S

    def percentiles(self, now_s: float) -> dict[str, tuple[float, ...]]:
        """Milliseconds at PERCENTILES of each stage within the window; empty: no answers."""
        self._forget(now_s)
        if not self._recent:
            return {}
        return {
            stage: tuple(np.percentile([getattr(t, stage) for _, t in self._recent], PERCENTILES))
            for stage in STAGES
        }

    def _forget(self, now_s: float) -> None:
        while self._recent and self._recent[0][0] < now_s - WINDOW_S:
            self._recent.popleft()
