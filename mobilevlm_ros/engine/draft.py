"""Speculative decoding with an earlier text as the draft.

Captions of a view that changes slowly repeat most of what was said before. The tokens that
followed there are decoded in one batch behind the newest token, as a guess; each row of logits
then says whether the next guess was what the model would have said. Accepted are those up to the
first mismatch, and the model's own token there, so the text is that of decoding token by token.

The sampler is asked in order and never about a row that does not count, so a stateful one works.
Drafts are meant for temperature 0 all the same: random draws rarely repeat an earlier text.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import Sampler, greedy
from mobilevlm_ros.engine.steps import Part, Task, run_alone
from mobilevlm_ros.engine.types import Floats

LEARNING_RATE = 0.1  # the last ten tokens or so count
LONGEST_MATCH = 3  # tokens by which a place in the earlier text is found again
TRIAL_TOKENS = 16
NOISE_SHARE = 0.02  # of the median margin of the likeliest token


@dataclass(frozen=True, slots=True)
class DraftPlan:
    """What is known of a model on this machine: see `plan_drafts`."""

    costs: tuple[float, ...] = (1.0,)  # of decoding 1, 2, ... tokens at once; of one token: 1

    @property
    def rows(self) -> int:
        """The most tokens that may be decoded at once; 1: no drafts."""
        return len(self.costs)


@dataclass(slots=True)
class DraftLength:
    """How many tokens to guess: as many as give the most tokens for the time, perhaps none.

    Learns how often a guess is right, also of guesses that were not made. It outlives a caption:
    the views are as alike as they were a moment ago.
    """

    plan: DraftPlan
    right: float = 0.8  # share of guesses that are right, of late

    @property
    def now(self) -> int:
        """The length with the greatest expected number of tokens for its cost."""
        expected = np.cumsum(self.right ** np.arange(self.plan.rows))
        return int(np.argmax(expected / np.array(self.plan.costs)))

    def learn(self, right: bool) -> None:
        """Take in whether the next token was the guessed one."""
        self.right += LEARNING_RATE * (right - self.right)


class Draft:
    """Guesses how a text goes on that resembles an earlier one."""

    def __init__(self, earlier: Sequence[int], length: DraftLength) -> None:
        """Begin a text.

        Args:
            earlier: tokens of the earlier text, its end token left out: whether a text ends is
                seen in the row after its last token, for nothing.
            length: how many tokens to guess.
        """
        self._earlier = list(earlier)
        self._length = length
        self._place = 0  # of what should come next
        self.said: list[int] = []
        self.steps: list[tuple[int, int]] = []  # proposed and accepted

    def begin(self, token: int) -> None:
        """Take in the first token of the text, which came without a guess."""
        self._say(token)

    def propose(self, most: int) -> list[int]:
        """Up to `most` tokens that may come next."""
        end = self._place + max(0, min(most, self._length.now))
        return self._earlier[self._place : end]

    def learn(self, proposed: Sequence[int], tokens: Sequence[int]) -> None:
        """Take in what came instead: the accepted ones, and one more token."""
        self.steps.append((len(proposed), len(tokens) - 1))
        for token in tokens:
            self._say(token)

    def _say(self, token: int) -> None:
        self.said.append(token)
        guess = self._earlier[self._place : self._place + 1]
        if guess:
            self._length.learn(guess == [token])
        if guess == [token]:
            self._place += 1
        else:
            self._place = find_place(self._earlier, self.said, self._place)


def find_place(earlier: Sequence[int], said: Sequence[int], expected: int) -> int:
    """Where in the earlier text to go on, after a token that was not the one expected there.

    It is behind the longest of the last tokens that the earlier text has too, at the place
    nearest to the expected one; behind the expected token, taken as replaced, if it has none.
    """
    for count in range(min(LONGEST_MATCH, len(said)), 0, -1):
        last = list(said[-count:])
        places = [
            end for end in range(count, len(earlier) + 1) if earlier[end - count : end] == last
        ]
        if places:
            return min(places, key=lambda place: abs(place - expected))
    return min(expected + 1, len(earlier))


class DraftedText:
    """How one text goes on, several tokens a step: an Extend of generation.py."""

    def __init__(self, llm: LanguageModel, draft: Draft) -> None:
        self._llm = llm
        self._draft = draft

    def __call__(self, sequence: int, token: int, sampler: Sampler, most: int) -> Task[list[int]]:
        """Append the newest token of the text, and find at least the one after it.

        Args:
            sequence: the text without `token`; it is cut back to the tokens that count.
            token: sampled, but not yet decoded.
            sampler: greedy, or one that keeps to it (see above).
            most: tokens that may still be said, at least 1.

        Returns:
            the tokens that come next, 1 to `most`; the last one is not yet decoded. One that ends
            the answer can only be the last.
        """
        if not self._draft.said:
            self._draft.begin(token)
        length = self._llm.length(sequence)
        room = self._llm.context_length - length - 1
        proposed = self._draft.propose(min(most - 1, room))
        (rows,) = yield [Part(sequence, [token, *proposed], rows=1 + len(proposed))]
        tokens = accept(rows, proposed, sampler)
        self._llm.truncate(sequence, length + len(tokens))
        self._draft.learn(proposed, tokens)
        return tokens


def accept(rows: Floats, proposed: Sequence[int], sampler: Sampler) -> list[int]:
    """The tokens that rows (1 + n, vocabulary) choose, up to the first that was not proposed."""
    tokens: list[int] = []
    for row, guess in zip(rows, [*proposed, None], strict=True):
        tokens.append(sampler(row))
        if tokens[-1] != guess:
            break
    return tokens


def plan_drafts(
    llm: LanguageModel, sequence: int, prompt: Sequence[int], most: int = 8
) -> DraftPlan:
    """Find how many tokens can be decoded at once without changing what the model says.

    Kernels may round differently by batch size. Sixteen tokens are decoded one by one, then in
    batches of 2, 3 and so on. Batches of a size pass if the likeliest token is the same everywhere
    and no logit differs by more than a fiftieth of the median margin between the two best.

    Args:
        llm: the model.
        sequence: an empty one; it is left empty.
        prompt: what the sixteen tokens follow; the more like a real prompt, the truer the margins.
        most: tokens at once to try, up to the first that fail.
    """
    try:
        plain = run_alone(llm, _decode_plainly(sequence, prompt))
        seconds = [plain.seconds]
        for size in range(2, most + 1):
            llm.truncate(sequence, len(prompt))
            found = run_alone(llm, _decode_in_batches(sequence, plain.tokens, size))
            if not agree(found.rows, plain.rows):
                break
            seconds.append(found.seconds)
    finally:
        llm.remove(sequence)
    return DraftPlan(tuple(each / seconds[0] for each in seconds))


def agree(found: Floats, expected: Floats) -> bool:
    """Whether rows of logits (n, vocabulary) that should be equal are near enough."""
    if not np.array_equal(found.argmax(axis=1), expected.argmax(axis=1)):
        return False
    best = np.partition(expected, -2, axis=1)[:, -2:]
    margin = float(np.median(best[:, 1] - best[:, 0]))
    return float(np.abs(found - expected).max()) <= NOISE_SHARE * margin


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """Tokens, the logits after each of them, and what one full step took in the median."""

    tokens: list[int]
    rows: Floats
    seconds: float


def _decode_plainly(sequence: int, prompt: Sequence[int]) -> Task[_Trial]:
    (logits,) = yield [Part(sequence, prompt)]
    tokens: list[int] = []
    rows: list[Floats] = []
    times = [time.perf_counter()]
    for _ in range(TRIAL_TOKENS):
        tokens.append(greedy(logits[-1]))
        (logits,) = yield [Part(sequence, tokens[-1:])]
        rows.append(logits[0].copy())
        times.append(time.perf_counter())
    return _Trial(tokens, np.stack(rows), float(np.median(np.diff(times))))


def _decode_in_batches(sequence: int, tokens: list[int], size: int) -> Task[_Trial]:
    rows: list[Floats] = []
    times = [time.perf_counter()]
    for at in range(0, len(tokens), size):
        part = tokens[at : at + size]
        (logits,) = yield [Part(sequence, part, rows=len(part))]
        rows.append(logits.copy())
        times.append(time.perf_counter())
    full = np.diff(times)[: len(tokens) // size]
    return _Trial(tokens, np.concatenate(rows), float(np.median(full)))
