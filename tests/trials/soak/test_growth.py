"""Whether something grows."""

import os
import random
from dataclasses import replace

import pytest

from mobilevlm_ros.trials.soak.growth import (
    Sample,
    growth,
    left_of,
    read_sample,
    shared_files,
    slope,
)


def samples(mb_per_h, noise_mb=0.0, seconds=600, every=5):
    rng = random.Random(1)
    return [
        Sample(t, 0.0, 0.0, 100 + t / 3600 * mb_per_h + rng.gauss(0, noise_mb), 1, 1, 0.0)
        for t in range(0, seconds + 1, every)
    ]


def test_a_leak_is_told_from_noise():
    leak = slope(samples(60.0, noise_mb=0.2))
    assert leak.mb_per_h == pytest.approx(60, abs=3 * leak.error)
    assert leak.settles(10) and leak.above(10)
    still = slope(samples(0.0, noise_mb=0.2))
    assert still.settles(10) and not still.above(10)


def test_the_first_half_does_not_count():
    warm = [Sample(t, 0, 0, min(t, 300), 1, 1, 0.0) for t in range(0, 601, 5)]
    assert slope(warm).mb_per_h == pytest.approx(0, abs=1e-6)


def test_frames_that_come_and_go_do_not_hide_the_slope():
    busy = [replace(one, own_mb=one.own_mb + 2.7 * (one.at_s % 4)) for one in samples(0, every=1)]
    assert slope(busy).settles(1)


def test_a_short_run_does_not_settle_anything():
    assert not slope(samples(0.0, noise_mb=0.2, seconds=12, every=1)).settles(10)
    assert not slope(samples(0.0, seconds=10)).settles(10)


def test_noise_that_lasts_makes_a_slope_less_sure():
    quick = [Sample(t, 0, 0, t // 5 % 2, 1, 1, 0.0) for t in range(0, 601, 5)]
    slow = [Sample(t, 0, 0, t // 50 % 2, 1, 1, 0.0) for t in range(0, 601, 5)]
    assert slope(slow).error > 2 * slope(quick).error


def test_files_that_are_open_for_a_moment_do_not_count_as_growth():
    assert growth([5, 9, 7, 7, 8, 7, 7, 9]) == 0
    assert growth([5, 9, 7, 7, 8, 7, 9, 9]) == 2
    assert growth([1, 2]) == 0


def test_a_process_is_read():
    sample = read_sample(os.getpid(), 1.5)
    assert 1 < sample.own_mb <= sample.pss_mb <= sample.rss_mb
    assert sample.threads >= 1 and sample.files >= 3 and sample.cpu_s > 0


def test_what_outlives_its_users_is_left(tmp_path):
    (tmp_path / '7').mkdir()
    maps = '7f00-7f01 rw-s 0 00:19 5  /dev/shm/fastrtps_x\n7f02-7f03 r-xp 0 08:01 6  /lib/c.so\n'
    (tmp_path / '7' / 'maps').write_text(maps)
    files = shared_files([7], tmp_path)
    assert {path.name for path in files} == {'fastrtps_x'}
    there, gone = tmp_path / 'fastrtps_port7', tmp_path / 'fastrtps_y'
    there.touch()
    assert left_of({there, gone}, tmp_path) == ['fastrtps_port7']
