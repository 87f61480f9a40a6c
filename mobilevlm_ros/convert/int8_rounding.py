"""Rounding of constant matrices to int8, so that their products lose as little as they can.

CPUs without VNNI multiply by int8 in pairs of rows, and add up both products in 16 bits. That
holds as long as a pair's weights of the same sign have a sum of 128 at most, since activations go
up to 255. Seven bits keep to that for each weight; here it is asked of pairs alone, which leaves
most columns more than half of the eighth bit.

Each row is rounded knowing what the rows before have lost: a channel of the activation that
resembles others takes over a part of their error (GPTQ, arXiv 2210.17323). How much they are
alike is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from mobilevlm_ros.engine.types import Floats

LARGEST = 127  # level
PAIR = 128  # of two rows' levels of the same sign: 255 * 128 fits in 16 bits
DAMPING = 0.01  # of the mean square, on each channel: images measured are few
SMALLEST = 1e-30  # of a scale and of a mean square
BLOCK = 64  # rows that are rounded before those behind them hear of it
WIDENINGS = (1.0, 1.15, 1.3, 1.4, 1.5, 1.6, 1.75, 2.0)  # of a column's least scale; 2: all fits


@dataclass(frozen=True)
class Rounded:
    """A matrix as levels * scales."""

    levels: NDArray[np.int8]  # (channels, columns)
    scales: Floats  # (columns,)


def round_matrix(matrix: Floats, gram: NDArray[np.float64]) -> Rounded:
    """Choose levels and scales for what an activation is multiplied by.

    Args:
        matrix: (channels, columns); rows of zeros stay zero.
        gram: activation.T @ activation over some tokens, (channels, channels).
    """
    count, odd = len(matrix), len(matrix) % 2
    matrix = np.pad(matrix, ((0, odd), (0, 0)))
    shares = _shares(np.pad(gram, (0, odd)), np.abs(matrix).max(1) > 0)
    scales = _choose_scales(matrix, shares.diagonal() ** -2)
    return Rounded(_round_rows(matrix / scales, shares)[:count], scales)


def _shares(gram: NDArray[np.float64], used: NDArray[np.bool_]) -> Floats:
    """Upper triangle whose row says how a channel's error is shared among those behind it.

    It is Cholesky's factor of the inverse Gram matrix. Channels that are not used have no part.
    """
    gram = np.where(used[:, None] & used, gram, 0)
    squares = gram.diagonal()
    mean = max(SMALLEST, squares.sum() / max(1, np.count_nonzero(squares)))
    gram[np.diag_indices_from(gram)] += DAMPING * mean
    backwards = scipy.linalg.cholesky(
        gram[::-1, ::-1], lower=True, overwrite_a=True, check_finite=False
    )
    inverse, _ = scipy.linalg.lapack.dtrtri(backwards, lower=True, overwrite_c=True)
    shares: Floats = (inverse[::-1, ::-1] * np.sqrt(mean)).astype(np.float32)
    return shares


def _choose_scales(matrix: Floats, importance: Floats) -> Floats:
    """For each column the scale of `WIDENINGS` that loses least to steps and to full pairs."""
    finest: Floats = np.maximum(np.abs(matrix).max(0), SMALLEST) / LARGEST
    least = np.full(len(finest), np.inf)
    chosen = finest
    for widening in WIDENINGS:
        scales = (finest * widening).astype(np.float32)
        lost = importance @ (matrix - _nearest(matrix / scales) * scales) ** 2
        chosen = np.where(lost < least, scales, chosen)
        least = np.minimum(lost, least)
    return chosen


def _nearest(values: Floats) -> Floats:
    """Each rounded for itself, but for what a pair may have."""
    levels = np.empty_like(values)
    levels[::2] = _first(values[::2], values[1::2])
    levels[1::2] = _second(values[1::2], levels[::2])
    return levels


def _round_rows(values: Floats, shares: Floats) -> NDArray[np.int8]:
    """Round one row after the other, and let those behind make good what it loses."""
    levels = np.empty_like(values)
    for start in range(0, len(values), BLOCK):
        end = min(start + BLOCK, len(values))
        errors = np.empty_like(values[start:end])
        for row in range(start, end):
            if row % 2:
                levels[row] = _second(values[row], levels[row - 1])
            else:
                levels[row] = _first(values[row], values[row + 1])
            error = errors[row - start] = (values[row] - levels[row]) / shares[row, row]
            values[row + 1 : end] -= shares[row, row + 1 : end, None] * error
        values[end:] -= shares[start:end, end:].T @ errors
    return levels.astype(np.int8)


def _first(values: Floats, partners: Floats) -> Floats:
    """Levels of the first of a pair: it gives way by half of what is too much for both."""
    excess = np.maximum(np.maximum(values, 0) + np.maximum(partners, 0) - PAIR, 0)
    lack = np.minimum(np.minimum(values, 0) + np.minimum(partners, 0) + PAIR, 0)
    levels: Floats = np.clip(np.rint(values - (excess + lack) / 2), -LARGEST, LARGEST)
    return levels


def _second(values: Floats, firsts: Floats) -> Floats:
    """Levels of the second of a pair: what the first has left."""
    low = np.maximum(-PAIR - np.minimum(firsts, 0), -LARGEST)
    high = np.minimum(PAIR - np.maximum(firsts, 0), LARGEST)
    levels: Floats = np.clip(np.rint(values), low, high)
    return levels
