import pytest

from mobilevlm_ros.bench.summary import Summary, speedup, summarise


def test_a_summary_is_the_median_and_its_spread() -> None:
    assert summarise(range(101)) == Summary(median=50, low=10, high=90, count=101)


def test_one_value_has_no_spread() -> None:
    assert summarise([3.0]) == Summary(3.0, 3.0, 3.0, 1)


def test_half_the_time_is_twice_as_fast() -> None:
    assert speedup([1, 2], [2, 4], higher_is_better=False).median == 2


def test_twice_the_rate_is_twice_as_fast() -> None:
    assert speedup([20.0], [10.0], higher_is_better=True).median == 2


def test_what_slows_both_down_does_not_widen_the_spread() -> None:
    ratio = speedup([1, 5, 1], [3, 15, 3], higher_is_better=False)
    assert (ratio.low, ratio.high) == pytest.approx((3, 3))
