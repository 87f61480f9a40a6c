"""The pure part of typed answers."""

import math

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, QuestionError
from mobilevlm_ros.engine.choices import (
    branches,
    check_choices,
    common_beginning,
    decide,
    log_likelihoods,
    probabilities,
)


def random_choices(seed: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 6, random.integers(2, 10))
    return [tuple(random.integers(0, 3, size).tolist()) for size in sizes]


@pytest.mark.parametrize('seed', range(40))
def test_every_choice_lies_along_a_branch(seed: int) -> None:
    choices = random_choices(seed)
    common = common_beginning(choices)
    found = branches(choices, len(common))
    along = [number for branch in found for number in branch.choices]
    assert len(along) == len(set(along))
    for branch in found:
        for number in branch.choices:
            rest = choices[number][len(common) :]
            assert rest and branch.tokens[: len(rest)] == rest
    for number in set(range(len(choices))) - set(along):
        assert choices[number] == common


def test_a_choice_that_another_begins_with_costs_nothing() -> None:
    a_box, a_red_box, no = (5, 7), (5, 7, 8), (9,)
    assert [b.tokens for b in branches([a_box, no, a_red_box], 0)] == [(5, 7, 8), (9,)]


@pytest.mark.parametrize('temperature', [0.05, 1.0, 20.0])
@pytest.mark.parametrize('scale', [1e-3, 1.0, 1e4])
def test_probabilities_add_up_to_one(scale: float, temperature: float) -> None:
    scores = -np.random.default_rng(1).random((5, 64)) * scale
    shares = probabilities(scores, temperature)
    assert shares.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-12) and (shares >= 0).all()
    np.testing.assert_array_equal(scores.argmax(axis=1), shares.argmax(axis=1))


def test_a_higher_temperature_is_less_sure() -> None:
    scores = np.log([0.9, 0.1])
    assert probabilities(scores, 1.0) == pytest.approx([0.9, 0.1])
    assert probabilities(scores, 2.0) == pytest.approx([0.75, 0.25])


def test_log_likelihoods_are_those_of_a_softmax_in_double() -> None:
    rows = np.random.default_rng(0).normal(0, 9, (3, 500)).astype(np.float32)
    logs = rows.astype(np.float64)
    logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    expected = [logs[0, 7] + logs[1, 3] + logs[2, 99], logs[0, 5], 0.0]
    np.testing.assert_allclose(log_likelihoods(rows, [[7, 3, 99], [5], []]), expected, rtol=1e-6)


def test_logits_that_are_not_finite_are_our_error() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(BackendError, match='not finite'):
            log_likelihoods(np.array([[0, value]], np.float32), [[0]])


def test_one_abstains_below_the_least_probability_only() -> None:
    shares = np.array([0.3, 0.7])
    assert decide(shares, 0.7) == 1
    assert decide(shares, 0.71) == -1
    assert decide(np.array([0.5, 0.5]), 0.0) == 0


def test_choices_lose_the_space_around_them() -> None:
    assert check_choices([' yes', 'no\n']) == ('yes', 'no')


@pytest.mark.parametrize(
    ('choices', 'message'),
    [
        ([], '2 to 64 choices; found 0'),
        (['yes'], '2 to 64 choices; found 1'),
        ([str(i) for i in range(65)], 'found 65'),
        (['yes', ' yes '], "'yes' is there twice"),
        (['yes', ' \t'], 'choice 1 is empty'),
        (['yes', 'n' * 257], 'choice 1 has 257 characters; it may have 256'),
        (['yes', '\ud800'], 'choice 1 is not valid Unicode'),
    ],
)
def test_choices_that_cannot_be_asked_are_named(choices: list[str], message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        check_choices(choices)
