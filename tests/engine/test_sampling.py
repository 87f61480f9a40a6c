from collections import Counter

import numpy as np
import pytest

from mobilevlm_ros.engine.sampling import create_sampler

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


def frequencies(temperature: float, top_p: float, draws: int = 4000) -> list[float]:
    sampler = create_sampler(temperature, top_p, seed=1)
    counts = Counter(sampler(LOGITS) for _ in range(draws))
    return [counts[token] / draws for token in range(4)]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert {create_sampler(0.0, 0.5, seed)(LOGITS[::-1]) for seed in range(5)} == {3}


def test_temperature_one_draws_by_probability() -> None:
    assert frequencies(1.0, 1.0) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_a_low_temperature_sharpens() -> None:
    squares = np.array([0.5, 0.3, 0.15, 0.05]) ** 2
    assert frequencies(0.5, 1.0) == pytest.approx(squares / squares.sum(), abs=0.03)


def test_top_p_keeps_the_fewest_that_reach_it() -> None:
    assert frequencies(1.0, 0.75) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert frequencies(1.0, 0.01)[0] == 1


def test_a_seed_repeats_its_draws() -> None:
    first, second = (create_sampler(1.0, 1.0, seed=9) for _ in range(2))
    assert [first(LOGITS) for _ in range(50)] == [second(LOGITS) for _ in range(50)]


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('temperature', [1e-30, 1e-50, 5e-324])
def test_the_least_temperatures_take_the_likeliest(temperature: float) -> None:
    assert create_sampler(temperature, 1.0, 0)(LOGITS[::-1]) == 3


def test_extreme_logits_are_no_trouble() -> None:
    assert create_sampler(0.01, 0.9, 0)(np.array([-1e30, 3e4, 0], np.float32)) == 1
