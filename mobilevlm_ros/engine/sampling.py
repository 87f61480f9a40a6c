"""Choosing the next token from logits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.errors import QuestionError
from mobilevlm_ros.engine.types import Floats

Sampler = Callable[[Floats], int]  # one row of logits, float32 (vocabulary,) -> token

REPEAT_WINDOW = 64  # tokens, llama.cpp's default
_FEWEST = 64  # likeliest tokens looked at first


class Chooser(Protocol):
    """What lets a sampler draw among some of the tokens alone."""

    def choose(self, logits: Floats, sampler: Sampler) -> int:
        """The token that the sampler draws among those."""


def create_sampler(
    temperature: float,
    top_p: float,
    seed: int,
    repeat_penalty: float = 1.0,
    constraint: Chooser | None = None,
) -> Sampler:
    """The sampler of one answer; it remembers what it chose, so make one for each.

    Args:
        temperature: 0 to 2; 0 is greedy: always the likeliest token.
        top_p: draw among the fewest likeliest that add up to this share, above 0 to 1.
        seed: 0 or more; the same seed draws the same.
        repeat_penalty: 1 to 2; 1 is none. See `Penalty`.
        constraint: what restricts the tokens, after the penalty and before temperature and top_p.

    Raises:
        QuestionError: if a value is out of its range.
    """
    _check('temperature', 0 <= temperature <= 2, temperature, 'from 0 to 2')
    _check('top_p', 0 < top_p <= 1, top_p, 'above 0, up to 1')
    _check('seed', seed >= 0, seed, '0 or more')
    _check('repeat_penalty', 1 <= repeat_penalty <= 2, repeat_penalty, 'from 1 to 2')
    sampler: Sampler = Draw(temperature, top_p, seed) if temperature else greedy
    if constraint is not None:
        sampler = _constrained(constraint, sampler)
    return Penalty(repeat_penalty, sampler) if repeat_penalty > 1 else sampler


def greedy(logits: Floats) -> int:
    """The likeliest token; the first of equals."""
    return int(np.argmax(logits))


class Draw:
    """Random among the likeliest tokens that add up to `top_p`; of equals the first are kept."""

    def __init__(self, temperature: float, top_p: float, seed: int) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._random = np.random.default_rng(seed)

    def __call__(self, logits: Floats) -> int:
        """Draw a token."""
        with np.errstate(over='ignore'):  # of the least temperatures: only the likeliest weighs
            weights = np.exp((logits - logits.max()).astype(np.float64) / self._temperature)
        kept = nucleus(weights, self._top_p)
        total = np.cumsum(weights[kept])
        place = np.searchsorted(total, self._random.random() * total[-1], side='right')
        return int(kept[min(int(place), len(kept) - 1)])


class Penalty:
    """Makes the tokens chosen of late less likely, once each, however often they were chosen.

    As in llama.cpp (llama-sampler.cpp, llama_sampler_penalties): positive logits are divided by
    the penalty, others multiplied. The window holds the newest tokens of the answer; the prompt
    is not counted.
    """

    def __init__(self, penalty: float, sampler: Sampler, window: int = REPEAT_WINDOW) -> None:
        self._penalty = np.float32(penalty)
        self._sampler = sampler
        self._recent: deque[int] = deque(maxlen=window)

    def __call__(self, logits: Floats) -> int:
        """Choose from the logits, which are not changed, and remember it."""
        if self._recent:
            recent = list(set(self._recent))
            values, logits = logits[recent], logits.copy()
            logits[recent] = np.where(values > 0, values / self._penalty, values * self._penalty)
        token = self._sampler(logits)
        self._recent.append(token)
        return token


def nucleus(weights: NDArray[np.float64], top_p: float) -> NDArray[np.intp]:
    """The fewest tokens of greatest weight whose share of all reaches `top_p`, greatest first.

    All of them, in the order of the vocabulary, where `top_p` is 1.
    """
    if top_p >= 1:
        return np.arange(len(weights))
    wanted = top_p * weights.sum()
    count = min(_FEWEST, len(weights))
    while True:
        order = _greatest(weights, count)
        total = np.cumsum(weights[order])
        if total[-1] >= wanted or len(order) == len(weights):
            return order[: int(np.searchsorted(total, wanted)) + 1]
        count = min(count * 8, len(weights))


def _greatest(weights: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """The `count` greatest and what equals the last of them, sorted; equals keep their order."""
    least = np.partition(weights, len(weights) - count)[len(weights) - count]
    found = np.flatnonzero(weights >= least)
    return found[np.argsort(-weights[found], kind='stable')]


def _constrained(constraint: Chooser, sampler: Sampler) -> Sampler:
    return lambda logits: constraint.choose(logits, sampler)


def _check(name: str, valid: bool, value: float, allowed: str) -> None:
    if not valid:
        raise QuestionError(f'{name} is {value}; it must be {allowed}')
