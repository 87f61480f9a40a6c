import math

import numpy as np
import pytest

from mobilevlm_ros.engine.accuracy import compare_tokens


@pytest.fixture
def tokens() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 16)).astype(np.float32)


def test_scaled_tokens_point_the_same_way_and_differ_all_the_same(tokens: np.ndarray) -> None:
    agreement = compare_tokens(tokens * 2, tokens)
    assert agreement.cosine == pytest.approx(1, abs=1e-12)
    assert agreement.max_error == pytest.approx(np.abs(tokens).max())


def test_the_worst_token_is_named(tokens: np.ndarray) -> None:
    found = tokens.copy()
    found[1, 2] *= -1
    found[0, 1] += 0.01
    agreement = compare_tokens(found, tokens)
    assert (agreement.image, agreement.token) == (1, 2)
    assert agreement.cosine == pytest.approx(-1)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_one_value_that_is_not_finite_makes_the_cosine_nan(
    tokens: np.ndarray, value: float
) -> None:
    found = tokens.copy()
    found[1, 0, 5] = value
    agreement = compare_tokens(found, tokens)
    assert math.isnan(agreement.cosine)
    assert (agreement.image, agreement.token) == (1, 0)
