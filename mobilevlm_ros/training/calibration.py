"""How far a model's probabilities can be trusted: pure functions over what it answered.

Expected calibration error and temperature: Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017, arXiv 1706.04599. Risk and coverage: Geifman and El-Yaniv, "Selective
Classification for Deep Neural Networks", NeurIPS 2017, arXiv 1705.08500.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.bundle import TEMPERATURES
from mobilevlm_ros.engine.choices import Doubles, probabilities

BINS = 15  # of equal width, as in the paper

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sureness:
    """Of each question: the probability of the choice taken, and whether it is the true one."""

    confidence: Doubles  # (questions,), in [0, 1]
    right: Flags  # (questions,)


@dataclass(frozen=True)
class Bin:
    """The questions whose choice was about equally probable."""

    count: int
    confidence: float  # mean
    accuracy: float


def sureness(scores: Sequence[Doubles], truths: Sequence[int], temperature: float) -> Sureness:
    """What a model that takes the likeliest choice is, given each question's log-probabilities."""
    shares = [probabilities(each, temperature) for each in scores]
    confidence = np.array([each.max() for each in shares])
    taken = np.array([each.argmax() for each in shares])
    return Sureness(confidence, taken == np.array(truths))


def reliability(found: Sureness, bins: int = BINS) -> list[Bin]:
    """The bins of equal width that hold any question, from the least sure on."""
    place = np.minimum((found.confidence * bins).astype(int), bins - 1)
    masks = [place == number for number in range(bins)]
    return [
        Bin(int(mask.sum()), float(found.confidence[mask].mean()), float(found.right[mask].mean()))
        for mask in masks
        if mask.any()
    ]


def calibration_error(found: Sureness, bins: int = BINS) -> float:
    """Expected calibration error: mean distance of accuracy and confidence, by bins."""
    gaps = [b.count * abs(b.accuracy - b.confidence) for b in reliability(found, bins)]
    return sum(gaps) / len(found.right)


def accuracy_by_coverage(found: Sureness) -> Doubles:
    """Accuracy over the surest 1, 2, ... of the questions, float64 (questions,).

    Of equally sure ones the wrong come first, so that the order flatters nothing.
    """
    order = np.lexsort((found.right, -found.confidence))
    right = found.right[order].astype(np.float64)
    running: Doubles = right.cumsum() / np.arange(1, len(right) + 1)
    return running


def accuracy_at(found: Sureness, coverage: float) -> float:
    """Accuracy where only this share of the questions, the surest, is answered."""
    count = max(1, math.ceil(coverage * len(found.right)))
    return float(accuracy_by_coverage(found)[count - 1])


def confidence_at(found: Sureness, coverage: float) -> float:
    """The min_probability at which about this share of the questions is answered."""
    count = max(1, math.ceil(coverage * len(found.right)))
    return float(np.sort(found.confidence)[::-1][count - 1])


def answered(found: Sureness, min_probability: float) -> tuple[float, float]:
    """The share of the questions that are answered, and accuracy among those; 1 if none is."""
    kept = found.right[found.confidence >= min_probability]
    return len(kept) / len(found.right), float(kept.mean()) if len(kept) else 1.0


def log_loss(scores: Sequence[Doubles], truths: Sequence[int], temperature: float) -> float:
    """Mean negative log-probability of the true choices."""
    scaled = [each / temperature for each in scores]
    losses = [np.logaddexp.reduce(s) - s[truth] for s, truth in zip(scaled, truths, strict=True)]
    return float(np.mean(losses))


def fit_temperature(scores: Sequence[Doubles], truths: Sequence[int]) -> float:
    """The temperature that makes the true choices likeliest, within what a bundle may hold."""
    from scipy.optimize import minimize_scalar  # takes a second

    best = minimize_scalar(
        lambda log: log_loss(scores, truths, math.exp(log)),
        bounds=tuple(math.log(bound) for bound in TEMPERATURES),
        method='bounded',
    )
    return float(math.exp(best.x))
