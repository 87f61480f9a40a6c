"""Scoring the choices of a question in one step.

The question and what all choices begin with are decoded once, for the sequences of all choices;
behind them, in the same step, the rest of each choice in its own sequence. If too few sequences
are free, or there is too little room for all, the other choices go in further steps.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from mobilevlm_ros.engine.choices import (
    Branch,
    Doubles,
    Scores,
    Tokens,
    Verdict,
    branches,
    common_beginning,
    decide,
    log_likelihoods,
    probabilities,
)
from mobilevlm_ros.engine.errors import BackendError, TooLongError
from mobilevlm_ros.engine.steps import Logits, Part, Step, Task


class Pool(Protocol):
    """Sequences to borrow."""

    @property
    def spare(self) -> int:
        """How many may be taken now beside those that others surely need."""

    def take_scratch(self, source: int) -> int:
        """An empty sequence, made to begin as another one is now."""

    def give_back(self, sequence: int) -> None:
        """Empty a sequence that was taken, for others to take."""


class Model(Protocol):
    """What scoring needs of a LanguageModel beside decoding."""

    context_length: int
    end: int

    def length(self, sequence: int) -> int:
        """Tokens in the sequence."""

    def truncate(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens of the sequence."""


def choose(
    llm: Model,
    pool: Pool,
    source: int,
    question: Sequence[int],
    choices: Sequence[Sequence[int]],
    *,
    temperature: float = 1.0,
    min_probability: float = 0.0,
) -> Task[Verdict]:
    """Find how probable each choice is as the answer.

    Args:
        llm: the model.
        pool: where scratch sequences come from; all are given back, also if the task is closed.
        source: the sequence that the question stands behind, a held frame's for instance.
        question: its tokens.
        choices: the tokens of each choice as the model would write it, without the end token.
        temperature: the bundle's, which calibrates the probabilities.
        min_probability: abstain if the best choice has less.
    """
    scores = yield from score(llm, pool, source, question, choices)
    shares = probabilities(scores.log_probabilities, temperature)
    choice = decide(shares, min_probability)
    return Verdict(tuple(shares.tolist()), choice, scores.decoded_tokens)


def score(
    llm: Model,
    pool: Pool,
    source: int,
    question: Sequence[int],
    choices: Sequence[Sequence[int]],
) -> Task[Scores]:
    """Score the choices.

    Raises:
        TooLongError: if question and longest choice do not fit behind the source.
        BackendError: if the model has no token to end an answer with.
    """
    complete = [(*choice, _end(llm)) for choice in choices]
    common = common_beginning([tuple(choice) for choice in choices])
    rest = branches([tuple(choice) for choice in choices], len(common))
    _check_room(llm, source, len(question) + max(map(len, choices)))
    base = pool.take_scratch(source)
    stem = Part(base, [*question, *common], len(common) + 1)
    try:
        scores = yield from _score(llm, pool, stem, rest, complete)
    finally:
        pool.give_back(base)
    return Scores(scores, len(stem.tokens) + sum(len(branch.tokens) for branch in rest))


def _score(
    llm: Model, pool: Pool, stem: Part, waiting: list[Branch], complete: Sequence[Tokens]
) -> Generator[Step, Logits, Doubles]:
    """Decode the branches wave by wave, the first one together with the stem that bears them."""
    scores, parts = np.zeros(len(complete)), [stem]
    behind = [tokens[stem.rows :] for tokens in complete]
    length = llm.length(stem.sequence) + len(stem.tokens)
    while waiting:
        count = wave(waiting, 1 + pool.spare, llm.context_length - length)
        logits = yield from _decode(pool, stem.sequence, parts, waiting[:count])
        if parts:
            scores += log_likelihoods(logits[0], [tokens[: stem.rows] for tokens in complete])
        for branch, rows in zip(waiting[:count], logits[len(parts) :], strict=True):
            numbers = list(branch.choices)
            scores[numbers] += log_likelihoods(rows, [behind[i] for i in numbers])
        llm.truncate(stem.sequence, length)
        waiting, parts = waiting[count:], []
    return scores


def wave(waiting: Sequence[Branch], sequences: int, room: int) -> int:
    """How many branches go next: as many as there are sequences, and tokens that surely fit.

    A question has the cells of one context at least; that others have theirs too is not known.
    """
    sizes = np.cumsum([len(branch.tokens) for branch in waiting])
    return max(1, min(sequences, int(np.searchsorted(sizes, room, side='right'))))


def _decode(
    pool: Pool, base: int, before: Sequence[Part], wave: Sequence[Branch]
) -> Generator[Step, Logits, Logits]:
    """One step: parts of `base` that all branches share, and the branches, the first in `base`."""
    scratch: list[int] = []
    try:
        for _ in wave[1:]:
            scratch.append(pool.take_scratch(base))
        shared = [replace(part, also=tuple(scratch)) for part in before]
        places = zip([base, *scratch], wave, strict=True)
        logits = yield [*shared, *(Part(at, b.tokens, len(b.tokens)) for at, b in places)]
        return logits
    finally:
        for sequence in scratch:
            pool.give_back(sequence)


def _end(llm: Model) -> int:
    if llm.end < 0:
        raise BackendError('the vocabulary has no token that ends an answer; ask for free text')
    return llm.end


def _check_room(llm: Model, source: int, count: int) -> None:
    room = llm.context_length - llm.length(source)
    if count > room:
        raise TooLongError(
            f'question and longest choice take {count} tokens; there is room for {room}: '
            'shorten them'
        )
