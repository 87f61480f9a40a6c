"""Medians with their spread, and ratios of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOW, HIGH = 10, 90  # percentiles


@dataclass(frozen=True, slots=True)
class Summary:
    """What repeated measurements come to."""

    median: float
    low: float  # 10th percentile
    high: float  # 90th percentile
    count: int


def summarise(values: Sequence[float]) -> Summary:
    """The summary of at least one value."""
    low, median, high = np.percentile(np.asarray(values, float), (LOW, 50, HIGH)).tolist()
    return Summary(median, low, high, len(values))


def speedup(ours: Sequence[float], other: Sequence[float], *, higher_is_better: bool) -> Summary:
    """How many times as fast ours is: the ratio of the medians, and the spread of the ratios.

    Values of the same place were measured one after the other, so that what slowed the machine
    down at that time slowed both.
    """
    pairs = list(zip(ours, other, strict=True))
    ratios = [mine / its if higher_is_better else its / mine for mine, its in pairs]
    spread = summarise(ratios)
    mine, its = summarise(ours).median, summarise(other).median
    median = mine / its if higher_is_better else its / mine
    return Summary(median, spread.low, spread.high, spread.count)
