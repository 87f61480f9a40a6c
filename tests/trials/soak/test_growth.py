"""Whether something grows."""

import random
from dataclasses import replace

import numpy as np
import pytest

from mobilevlm_ros.trials.soak.growth import growth, slope
from mobilevlm_ros.trials.usage import Usage


def sample(at_s, own_mb):
    return Usage(at_s, 0.0, 0.0, own_mb, 1, 1, 0.0, 0.0)


def samples(mb_per_h, noise_mb=0.0, seconds=600, every=5):
    rng = random.Random(1)
    return [
        sample(t, 100 + t / 3600 * mb_per_h + rng.gauss(0, noise_mb))
        for t in np.arange(0, seconds + 1, every)
    ]


def test_a_leak_is_told_from_noise():
    leak = slope(samples(60.0, noise_mb=0.2))
    assert leak.mb_per_h == pytest.approx(60, abs=3 * leak.error)
    assert leak.settles(10) and leak.above(10)
    still = slope(samples(0.0, noise_mb=0.2))
    assert still.settles(10) and not still.above(10)


def test_the_first_half_does_not_count():
    warm = [sample(t, min(t, 300)) for t in range(0, 601, 5)]
    assert slope(warm).mb_per_h == pytest.approx(0, abs=1e-6)


def test_frames_that_come_and_go_do_not_hide_the_slope():
    busy = [replace(one, own_mb=one.own_mb + 2.7 * (one.at_s % 4)) for one in samples(0, every=1)]
    assert slope(busy).settles(1)


def test_a_short_run_does_not_settle_anything():
    assert not slope(samples(0.0, noise_mb=0.2, seconds=12, every=1)).settles(10)
    assert not slope(samples(0.0, seconds=10)).settles(10)
    assert not slope(samples(30.0, seconds=12, every=0.25)).settles(10)  # all on a line


def test_noise_that_lasts_makes_a_slope_less_sure():
    quick = [sample(t, t // 5 % 2) for t in range(0, 601, 5)]
    slow = [sample(t, t // 50 % 2) for t in range(0, 601, 5)]
    assert slope(slow).error > 2 * slope(quick).error


def test_files_that_are_open_for_a_moment_do_not_count_as_growth():
    assert growth([5, 9, 7, 7, 8, 7, 7, 9]) == 0
    assert growth([5, 9, 7, 7, 8, 7, 9, 9]) == 2
    assert growth([1, 2]) == 0
