"""Whether what a process takes grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.trials.usage import Usage

LOWS = 20
STEP_MB = 0.128  # in which glibc takes memory from the system (M_TOP_PAD)


@dataclass(frozen=True, slots=True)
class Slope:
    """Of a straight line through samples of memory."""

    mb_per_h: float
    error: float  # one standard deviation, MB per hour

    def above(self, bound: float) -> bool:
        """Whether it is steeper than the bound beyond doubt: by two standard deviations."""
        return self.mb_per_h - 2 * self.error > bound

    def settles(self, bound: float) -> bool:
        """Whether the run was long enough to tell the bound from nothing."""
        return 2 * self.error < bound


def slope(samples: Sequence[Usage]) -> Slope:
    """Least squares through the private memory of the second half of a run.

    Of each of LOWS parts the least counts: frames of megabytes come and go. What is left over is
    not independent from one to the next; the error allows for how much they resemble each other,
    and for memory that comes in steps, where a few samples happen to lie on a line.
    """
    half = _lows([one for one in samples if one.at_s >= samples[-1].at_s / 2])
    if len(half) < 4:
        return Slope(math.nan, math.inf)
    hours = np.array([one.at_s for one in half]) / 3600
    line, covariance = np.polyfit(hours, [one.own_mb for one in half], 1, cov='unscaled')
    left = np.array([one.own_mb for one in half]) - np.polyval(line, hours)
    noise = float(left @ left) / (len(half) - 2)
    least = STEP_MB**2 / 12
    alike = float(left[1:] @ left[:-1] / (left @ left)) if noise > least else 0.0
    alike = min(max(alike, 0.0), 0.95)
    error = math.sqrt(max(noise, least) * covariance[0, 0] * (1 + alike) / (1 - alike))
    return Slope(float(line[0]), error)


def _lows(samples: Sequence[Usage]) -> list[Usage]:
    size = max(1, len(samples) // LOWS)
    parts = [samples[i : i + size] for i in range(0, len(samples) - size + 1, size)]
    return [min(part, key=lambda one: one.own_mb) for part in parts]


def growth(values: Sequence[int]) -> int:
    """The least of the last quarter above the least of the second.

    The least, because some are open only for the moment in which they were counted.
    """
    quarter = len(values) // 4
    if not quarter:
        return 0
    return min(values[-quarter:]) - min(values[quarter : 2 * quarter])
