"""Rounding of constant matrices to int8 that changes what the product gives as little as it can."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from mobilevlm_ros.engine.types import Floats

Levels = NDArray[np.int8]

LARGEST = 127  # level
PAIR = 128  # 255 * 128 fits in 16 bits
DAMPING = float(os.environ.get('DAMP', 0.01))
BLOCK = 128
CLIPS = np.linspace(1, 2, 11) if not os.environ.get('NOPAIR') else np.array([1.0])
PAIRS = not os.environ.get('NOPAIR')
GPTQ = not os.environ.get('NOGPTQ')
if os.environ.get('SEVEN'):
    LARGEST = 64
    CLIPS = np.array([1.0])


@dataclass(frozen=True)
class Rounded:
    levels: Levels
    scales: Floats


def round_matrix(matrix: Floats, gram: NDArray[np.float64]) -> Rounded:
    damped = gram.copy()
    diagonal = damped.diagonal().copy()
    alive = diagonal[diagonal > 0].mean()
    damped[np.diag_indices_from(damped)] += DAMPING * alive
    lower = scipy.linalg.cholesky(damped[::-1, ::-1], lower=True, overwrite_a=True)
    inverse, _ = scipy.linalg.lapack.dtrtri(lower, lower=True)
    spread = inverse[::-1, ::-1]  # upper, H^-1 = spread.T @ spread
    own = spread.diagonal()
    scales = choose_scales(matrix, 1 / own**2)
    left = matrix.astype(np.float64)
    levels = np.zeros(matrix.shape, np.int8)
    if not GPTQ:
        return Rounded(nearest(matrix / scales).astype(np.int8), scales)
    count = len(left)
    for start in range(0, count, BLOCK):
        end = min(start + BLOCK, count)
        errors = np.zeros((end - start, left.shape[1]))
        for i in range(start, end):
            values = left[i] / scales
            if PAIRS and i % 2 == 0 and i + 1 < count:
                other = left[i + 1] / scales
                values = values - _excess(values, other) / 2
                q = np.clip(np.rint(values), -LARGEST, LARGEST)
            elif PAIRS and i % 2:
                before = levels[i - 1].astype(np.float64)
                q = np.clip(np.rint(values), np.maximum(-LARGEST, -PAIR + np.maximum(-before, 0)),
                            np.minimum(LARGEST, PAIR - np.maximum(before, 0)))
            else:
                q = np.clip(np.rint(values), -LARGEST, LARGEST)
            levels[i] = q
            error = (left[i] - q * scales) / own[i]
            errors[i - start] = error
            left[i + 1:end] -= np.outer(spread[i, i + 1:end], error)
        left[end:] -= spread[start:end, end:].T @ errors
    return Rounded(levels, scales)


def _excess(a, b):
    over = np.maximum(np.maximum(a, 0) + np.maximum(b, 0) - PAIR, 0)
    under = np.maximum(np.maximum(-a, 0) + np.maximum(-b, 0) - PAIR, 0)
    return over - under


def nearest(values):
    values = values.copy()
    if PAIRS:
        even, odd = values[0:len(values) // 2 * 2:2], values[1::2]
        excess = _excess(even, odd) / 2
        even -= excess
        np.rint(even, out=even); np.clip(even, -LARGEST, LARGEST, out=even)
        odd[:] = np.clip(np.rint(odd), np.maximum(-LARGEST, -PAIR + np.maximum(-even, 0)),
                            np.minimum(LARGEST, PAIR - np.maximum(even, 0)))
        return np.clip(np.rint(values), -LARGEST, LARGEST)
    return np.clip(np.rint(values), -LARGEST, LARGEST)


def choose_scales(matrix, importance):
    largest = np.maximum(np.abs(matrix).max(0), 1e-20)
    best, found = np.full(matrix.shape[1], np.inf), largest / LARGEST
    for clip in CLIPS:
        scales = largest * clip / LARGEST
        lost = importance @ (matrix - nearest(matrix / scales) * scales)**2
        better = lost < best
        best[better], found = lost[better], np.where(better, scales, found)
    return found.astype(np.float32)
