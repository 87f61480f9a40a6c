"""Guesses from an earlier text, and what becomes of them."""

import numpy as np
import pytest

from mobilevlm_ros.engine import FakeLanguageModel
from mobilevlm_ros.engine.draft import (
    Draft,
    DraftedText,
    DraftLength,
    DraftPlan,
    accept,
    agree,
    find_place,
    plan_drafts,
)
from mobilevlm_ros.engine.sampling import greedy
from mobilevlm_ros.engine.steps import run_alone
from mobilevlm_ros.engine.types import Floats
from tests.engine.drafting import generate
from tests.engine.support import LoadLlama

CHEAP = DraftPlan((1.0, 1.1, 1.2, 1.3, 1.4))
NOTHING = DraftPlan()
PROMPT = [1, 300, 301, 302]


def say(load: LoadLlama, earlier: list[int], plan: DraftPlan, count: int) -> Draft:
    """So many tokens after PROMPT, and how they came about."""
    llm = load()
    draft = Draft(earlier, DraftLength(plan))
    run_alone(llm, generate(llm, 0, PROMPT, DraftedText(llm, draft), count))
    return draft


def one_hot(*tokens: int) -> Floats:
    rows: Floats = np.eye(8, dtype=np.float32)[list(tokens)]
    return rows


def test_guesses_are_accepted_up_to_the_first_that_is_wrong() -> None:
    assert accept(one_hot(1, 2, 3, 4), [1, 2, 7], greedy) == [1, 2, 3]
    assert accept(one_hot(1, 2), [1], greedy) == [1, 2]
    assert accept(one_hot(1), [], greedy) == [1]


def test_a_sampler_is_not_asked_about_rows_that_do_not_count() -> None:
    asked: list[int] = []

    def sampler(row: Floats) -> int:
        asked.append(greedy(row))
        return asked[-1]

    accept(one_hot(1, 2, 3), [1, 7], sampler)
    assert asked == [1, 2]


@pytest.mark.parametrize(
    'said, expected, place',
    [
        ([9, 7], 3, 6),  # the longest match wins over the nearest
        ([7], 5, 6),  # of equal ones the nearest wins
        ([8], 1, 2),  # a new word stands for the expected one
        ([8], 6, 6),
    ],
)
def test_a_place_is_found_again(said: list[int], expected: int, place: int) -> None:
    assert find_place([5, 6, 7, 5, 9, 7], said, expected) == place


def test_an_inserted_word_does_not_lose_the_place() -> None:
    draft = Draft([1, 2, 3, 4, 5], DraftLength(CHEAP))
    draft.begin(1)
    assert draft.propose(8) == [2, 3, 4, 5]
    draft.learn([2, 3, 4, 5], [9])
    draft.learn([], [2])
    assert draft.propose(2) == [3, 4]


def test_drafts_are_as_long_as_pays() -> None:
    length = DraftLength(CHEAP)
    for _ in range(50):
        length.learn(True)
    assert length.now == 4
    for _ in range(50):
        length.learn(False)
    assert length.now == 0
    assert DraftLength(NOTHING).now == 0


def test_a_draft_that_stopped_guessing_goes_on_when_the_text_repeats_again() -> None:
    length = DraftLength(CHEAP, right=0.0)
    draft = Draft([1, 2, 3, 4, 5, 6, 7, 8], length)
    draft.begin(1)
    assert draft.propose(8) == []
    for token in (2, 3, 4, 5):
        draft.learn([], [token])
    assert draft.propose(8)


@pytest.mark.parametrize('change', [lambda t: t, lambda t: [*t[:3], 333, *t[4:]], lambda t: t[2:]])
def test_a_text_is_the_same_with_and_without_a_draft(load: LoadLlama, change: object) -> None:
    plain = say(load, [], NOTHING, 40)
    drafted = say(load, change(plain.said), CHEAP, 40)  # type: ignore[operator]
    assert drafted.said == plain.said
    assert len(drafted.steps) < len(plain.steps)


def test_a_useless_draft_changes_nothing(load: LoadLlama) -> None:
    plain = say(load, [], NOTHING, 24)
    assert say(load, list(range(300, 400)), CHEAP, 24).said == plain.said


def test_a_draft_keeps_to_the_end_of_the_context(load: LoadLlama) -> None:
    llm = load(context_length=12)
    draft = Draft(list(range(300, 330)), DraftLength(CHEAP))
    llm.decode(0, list(range(300, 310)))
    tokens = run_alone(llm, DraftedText(llm, draft)(0, 310, greedy, 99))
    assert llm.length(0) == 10 + len(tokens) <= 12


def test_rows_agree_if_they_differ_by_less_than_margins() -> None:
    expected = np.array([[0, 1, 3], [4, 0, 1]], np.float32)
    assert agree(expected + 0.01, expected)
    assert not agree(expected + 0.1, expected)
    assert not agree(expected[::-1], expected)


def test_a_model_whose_kernels_agree_may_draft(load: LoadLlama) -> None:
    llm = load()
    plan = plan_drafts(llm, 0, PROMPT, most=4)
    assert plan.rows == 4 and plan.costs[0] == 1
    assert llm.length(0) == 0


class Rounding(FakeLanguageModel):
    """Its logits are others from three tokens at once on."""

    def _decode(self, part):  # type: ignore[no-untyped-def]
        rows = super()._decode(part)
        return rows + 50 * (np.arange(rows.shape[1]) == 7) if len(part.tokens) == 3 else rows


def test_batches_that_round_otherwise_are_not_drafted_in() -> None:
    llm = Rounding()
    assert plan_drafts(llm, 0, [65, 66]).rows == 2
    assert llm.length(0) == 0
