"""The age of an image by its stamp and by its arrival."""

import pytest

from mobilevlm_ros.engine.freshness import Age, age_of, stale, steady_s
from mobilevlm_ros.engine.types import Header

NOW_NS, NOW_S = 10_000_000_000_000, 5000.0
HOUR = 3600.0


def aged(stamp_s: float, arrived_s: float) -> Age:
    """Of an image stamped and arrived so long ago; a stamp of None is missing."""
    header = Header(NOW_NS - round(stamp_s * 1e9), '', NOW_S - arrived_s)
    return age_of(header, NOW_NS, NOW_S)


@pytest.mark.parametrize(
    ('stamp_s', 'arrived_s', 'age_s'),
    [
        (0.3, 0.1, 0.3),
        (0.1, 0.3, 0.3),
        (HOUR, 0.1, HOUR),
        (-HOUR, 0.1, 0.1),  # stamped tomorrow
        (NOW_NS * 1e-9, 10.0, 10.0),  # a stamp of zero
        (2 * NOW_NS * 1e-9, 10.0, 10.0),  # a negative one
    ],
)
def test_the_larger_age_counts(stamp_s: float, arrived_s: float, age_s: float) -> None:
    assert aged(stamp_s, arrived_s).seconds == pytest.approx(age_s)


def test_an_image_that_is_no_camera_s_has_no_age() -> None:
    assert age_of(Header(), NOW_NS, NOW_S) == Age()
    assert Age().seconds == 0.0


@pytest.mark.parametrize(
    ('stamp_s', 'fault'),
    [
        (0.2, ''),
        (HOUR, 'stamps are 3599.9 s behind this clock'),
        (-HOUR, 'stamps are 3600.1 s ahead of this clock'),
        (NOW_NS * 1e-9, 'stamps are missing (zero); ages count from the arrival of the images'),
    ],
)
def test_what_is_wrong_with_a_stamp_is_said(stamp_s: float, fault: str) -> None:
    assert aged(stamp_s, 0.1).stamp_fault == fault


def test_an_old_frame_of_a_clock_that_is_right_is_no_fault_of_the_clock() -> None:
    assert aged(HOUR, HOUR).stamp_fault == ''


@pytest.mark.parametrize(
    ('stamp_s', 'arrived_s', 'words'),
    [
        (31.0, 31.0, 'the image is 31.00 s old and max_age is 2 s; check that the camera'),
        (NOW_NS * 1e-9, 31.0, 'check that the camera is publishing'),
        (HOUR, 0.1, 'arrived 0.10 s ago: stamps are 3599.9 s behind this clock; set both clocks'),
        (2.5, 1.9, 'it arrived 1.90 s ago, so that it was late'),
    ],
)
def test_why_an_image_is_refused_is_said(stamp_s: float, arrived_s: float, words: str) -> None:
    assert words in stale(aged(stamp_s, arrived_s), 2.0)


def test_the_steady_clock_goes_on() -> None:
    first = steady_s()
    assert 0 < first <= steady_s()
