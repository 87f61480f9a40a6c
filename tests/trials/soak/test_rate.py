"""How the highest rate is searched."""

import pytest

from mobilevlm_ros.nodes.processes import RunError
from mobilevlm_ros.trials.soak.rate import FIRST_HZ, PROOF_S, RATES_HZ, TRIAL_S, find_rate


def limited(short_hz, long_hz, tried):
    def carried(rate_hz, seconds):
        tried.append((rate_hz, seconds))
        return rate_hz <= (short_hz if seconds == TRIAL_S else long_hz)

    return carried


def test_the_highest_rate_that_is_carried_is_proved_for_longer():
    tried = []
    assert find_rate(limited(20, 20, tried)) == 20
    assert tried[0] == (FIRST_HZ, TRIAL_S) and tried[-1] == (20, PROOF_S)


def test_a_rate_that_was_carried_by_luck_makes_way_for_a_lower_one():
    assert find_rate(limited(20, 12, [])) == 12


def test_a_slow_machine_gets_a_low_rate():
    assert find_rate(limited(2, 2, [])) == 2


def test_a_fast_machine_gets_the_highest():
    assert find_rate(limited(1000, 1000, [])) == RATES_HZ[-1]


def test_a_machine_that_carries_nothing_is_told():
    with pytest.raises(RunError, match='not even 1 Hz'):
        find_rate(limited(0, 0, []))
