from collections import Counter

import numpy as np
import pytest

from mobilevlm_ros.engine import QuestionError
from mobilevlm_ros.engine.sampling import Penalty, create_sampler, greedy, nucleus

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


def plain_nucleus(weights: np.ndarray, top_p: float) -> np.ndarray:
    """The definition: everything sorted, and as many as reach the share."""
    order = np.argsort(-weights, kind='stable')
    reached = np.cumsum(weights[order]) >= top_p * weights.sum()
    return order[: int(np.argmax(reached)) + 1 if reached.any() else len(order)]


@pytest.mark.parametrize('spread', [0.0, 0.01, 1.0, 8.0])
@pytest.mark.parametrize('top_p', [0.01, 0.5, 0.9, 0.999])
def test_the_nucleus_equals_its_plain_definition(spread: float, top_p: float) -> None:
    random = np.random.default_rng(5)
    for size in (1, 3, 63, 64, 65, 700, 32000):
        weights = np.exp(np.round(random.normal(0, spread, size), 1))  # rounded: many equals
        np.testing.assert_array_equal(nucleus(weights, top_p), plain_nucleus(weights, top_p))


def test_draws_equal_the_inverse_of_the_plain_distribution() -> None:
    logits = np.random.default_rng(2).normal(0, 3, 500).astype(np.float32)
    sampler, random = create_sampler(0.7, 0.8, seed=4), np.random.default_rng(4)
    weights = np.exp((logits.astype(np.float64) - float(logits.max())) / 0.7)
    kept = plain_nucleus(weights, 0.8)
    shares = np.cumsum(weights[kept]) / weights[kept].sum()
    for _ in range(200):
        assert sampler(logits) == kept[int((random.random() >= shares).sum())]


def plain_penalty(logits: np.ndarray, recent: list[int], penalty: float) -> np.ndarray:
    """llama.cpp's loop."""
    logits = logits.copy()
    for token in set(recent):
        logits[token] *= np.float32(penalty) if logits[token] <= 0 else 1 / np.float32(penalty)
    return logits


def test_the_penalty_equals_its_plain_definition() -> None:
    random = np.random.default_rng(3)
    sampler, said = create_sampler(0.0, 1.0, 0, repeat_penalty=1.5), []
    for _ in range(200):
        logits = random.normal(0, 1, 100).astype(np.float32)
        before = logits.copy()
        expected = int(np.argmax(plain_penalty(logits, said[-64:], 1.5)))
        said.append(sampler(logits))
        assert said[-1] == expected
        np.testing.assert_array_equal(logits, before)


def test_a_penalty_forgets_what_is_out_of_its_window() -> None:
    sampler = Penalty(2.0, greedy, window=2)
    logits = np.array([4, 3, 2.5, 0], np.float32)
    assert [sampler(logits) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ('values', 'name'),
    [
        ((-0.1, 1.0, 0), 'temperature'),
        ((2.1, 1.0, 0), 'temperature'),
        ((float('nan'), 1.0, 0), 'temperature'),
        ((1.0, 0.0, 0), 'top_p'),
        ((1.0, 1.1, 0), 'top_p'),
        ((1.0, 1.0, -1), 'seed'),
        ((1.0, 1.0, 0, 0.9), 'repeat_penalty'),
        ((1.0, 1.0, 0, 2.1), 'repeat_penalty'),
    ],
)
def test_values_out_of_range_are_refused(values: tuple[float, ...], name: str) -> None:
    with pytest.raises(QuestionError, match=f'{name} is'):
        create_sampler(*values)
