"""Typed answers: how probable the model finds each of several choices. Pure; nothing is decoded.

A choice is scored as the model would generate it: its tokens behind the question part, and then
the token that ends an answer. Without that one, `a red box` could never be likelier than `a red`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.errors import BackendError, QuestionError

FEWEST_CHOICES, MOST_CHOICES = 2, 64
LONGEST_CHOICE = 256  # characters

Tokens = tuple[int, ...]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model finds of a question's choices."""

    probabilities: tuple[float, ...]  # of each choice, in [0, 1]; their sum is one
    choice: int  # the likeliest, the first of equals; -1: abstained
    decoded_tokens: int = 0  # what it cost, the question's own included

    @property
    def abstained(self) -> bool:
        """Whether no choice was probable enough."""
        return self.choice < 0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The log-probability of each choice, its end token included, and what it cost to find."""

    log_probabilities: Doubles  # (choices,)
    decoded_tokens: int


@dataclass(frozen=True, slots=True)
class Branch:
    """Tokens to decode behind the common ones, and the choices that lie along them."""

    tokens: Tokens
    choices: tuple[int, ...]  # their numbers


def check_choices(choices: Sequence[str]) -> tuple[str, ...]:
    """The choices without white space around them.

    Raises:
        QuestionError: unless there are 2 to 64, all different, none empty or too long.
    """
    stripped = tuple(choice.strip() for choice in choices)
    if not FEWEST_CHOICES <= len(stripped) <= MOST_CHOICES:
        raise QuestionError(
            f'a question takes {FEWEST_CHOICES} to {MOST_CHOICES} choices; found {len(stripped)}'
        )
    for number, choice in enumerate(stripped):
        _check_choice(choice, number)
        if choice in stripped[:number]:
            raise QuestionError(f'the choice {choice!r} is there twice; give each choice once')
    return stripped


def _check_choice(choice: str, number: int) -> None:
    if not choice:
        raise QuestionError(f'choice {number} is empty; leave it out, or say what it stands for')
    if len(choice) > LONGEST_CHOICE:
        raise QuestionError(
            f'choice {number} has {len(choice)} characters; it may have {LONGEST_CHOICE}'
        )
    try:
        choice.encode()
    except UnicodeEncodeError as error:
        raise QuestionError(f'choice {number} is not valid Unicode: {error.reason}') from error


def common_beginning(choices: Sequence[Tokens]) -> Tokens:
    """The tokens that all choices begin with."""
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*choices, strict=False))
    return tuple(tokens[0] for tokens in alike)


def branches(choices: Sequence[Tokens], common: int) -> list[Branch]:
    """What to decode behind the first `common` tokens, so that every choice lies along a branch.

    A choice that another one begins with shares that one's branch; one that ends with the common
    tokens needs none.
    """
    found: dict[Tokens, list[int]] = {}
    longest_first = sorted(range(len(choices)), key=lambda i: -len(choices[i]))
    for number in longest_first:
        rest = choices[number][common:]
        if rest:
            longer = (tokens for tokens in found if tokens[: len(rest)] == rest)
            found.setdefault(next(longer, rest), []).append(number)
    return [Branch(tokens, tuple(numbers)) for tokens, numbers in found.items()]


def log_likelihoods(rows: NDArray[np.float32], targets: Sequence[Sequence[int]]) -> Doubles:
    """Summed log-probabilities, float64 (targets,), of each list of tokens.

    Args:
        rows: logits (n, vocabulary); row i is about the token in place i.
        targets: lists of up to n tokens.

    Raises:
        BackendError: if logits are not finite.
    """
    highest = rows.max(axis=1)
    with np.errstate(invalid='ignore'):  # an infinite one is told below
        weights = np.exp(rows - highest[:, None]).sum(axis=1, dtype=np.float64)
    totals = highest + np.log(weights)
    if not np.isfinite(totals).all():
        raise BackendError(
            'the language model returned values that are not finite; convert the model again'
        )
    each = [rows[np.arange(len(t)), list(t)] - totals[: len(t)] for t in targets]
    return np.array([values.sum() for values in each], np.float64)


def probabilities(scores: Doubles, temperature: float = 1.0) -> Doubles:
    """Softmax of summed log-probabilities (..., choices) over the temperature; sums to one."""
    scaled = np.asarray(scores, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    shares: Doubles = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def decide(shares: Doubles, min_probability: float) -> int:
    """The number of the likeliest choice; -1 if even that one is not probable enough."""
    best = int(np.argmax(shares))
    return best if shares[best] >= min_probability else -1
