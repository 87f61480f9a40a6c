"""Reliability diagrams and risk-coverage curves as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use('Agg')
from matplotlib import pyplot as plt
from scipy.stats import binomtest

from mobilevlm_ros.training.calibration import (
    BINS,
    Bin,
    Sureness,
    accuracy_by_coverage,
    calibration_error,
    reliability,
)

COLOURS = ('tab:blue', 'tab:orange', 'tab:green')


def draw_reliability(splits: Mapping[str, Sureness], path: Path) -> None:
    """Accuracy over confidence with 95% intervals, and how many questions lie where, by split."""
    size = (4 * len(splits), 4.4)
    figure, axes = plt.subplots(
        2, len(splits), figsize=size, height_ratios=(3, 1), sharex=True, squeeze=False
    )
    for (name, found), colour, (above, below) in zip(
        splits.items(), COLOURS, axes.T, strict=False
    ):
        above.plot([0, 1], [0, 1], color='grey', linestyle=':')
        for each in reliability(found):
            above.plot([each.confidence] * 2, interval(each), color=colour, linewidth=1)
            above.plot(each.confidence, each.accuracy, 'o', color=colour)
        title = f'{name}: calibration error {calibration_error(found):.4f}'
        above.set(title=title, ylabel='accuracy', ylim=(0, 1.03))
        below.hist(found.confidence, bins=BINS, range=(0, 1), color=colour)
        below.set(xlabel='probability of the choice taken', ylabel='questions', yscale='log')
    _save(figure, path)


def interval(found: Bin) -> tuple[float, float]:
    """The 95% Wilson interval of a bin's accuracy."""
    right = round(found.accuracy * found.count)
    ends = binomtest(right, found.count).proportion_ci(0.95, method='wilson')
    return float(ends.low), float(ends.high)


def draw_risk(splits: Mapping[str, Sureness], path: Path) -> None:
    """The share of wrong answers among those given, over the share of questions answered."""
    figure, axis = plt.subplots(figsize=(5, 3.6))
    for (name, found), colour in zip(splits.items(), COLOURS, strict=False):
        accuracy = accuracy_by_coverage(found)
        coverage = np.arange(1, len(accuracy) + 1) / len(accuracy)
        axis.plot(coverage, 100 * (1 - accuracy), color=colour, label=name)
    axis.set(xlabel='coverage: share of the questions that are answered', ylabel='wrong, %')
    axis.set(xlim=(0, 1), ylim=(0, None))
    axis.axvline(0.8, color='grey', linestyle=':', linewidth=1)
    axis.legend()
    _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
