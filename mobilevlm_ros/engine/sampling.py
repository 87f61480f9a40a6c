"""Choosing the next token from logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mobilevlm_ros.engine.types import Floats

Sampler = Callable[[Floats], int]


def create_sampler(temperature: float, top_p: float, seed: int) -> Sampler:
    """Greedy at temperature zero, else random among the likeliest that add up to `top_p`."""
    if temperature <= 0:
        return greedy
    generator = np.random.default_rng(seed)
    return lambda logits: _draw(logits, temperature, top_p, generator)


def greedy(logits: Floats) -> int:
    """The likeliest token; the first of equals."""
    return int(np.argmax(logits))


def _draw(logits: Floats, temperature: float, top_p: float, generator: np.random.Generator) -> int:
    with np.errstate(over='ignore'):  # of the least temperatures: all but the likeliest weigh 0
        weights = np.exp((logits - logits.max()).astype(np.float64) / temperature)
    order = np.argsort(-weights, kind='stable')
    total = np.cumsum(weights[order])
    kept = int(np.searchsorted(total, top_p * total[-1])) + 1
    place = np.searchsorted(total[:kept], generator.random() * total[kept - 1], side='right')
    return int(order[min(place, kept - 1)])
