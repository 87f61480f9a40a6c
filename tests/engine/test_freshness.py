"""The age of an image by its stamp and by its arrival."""

import pytest

from mobilevlm_ros.engine.freshness import Age, age_of, stale, steady_s
from mobilevlm_ros.engine.types import Header

NOW_NS, NOW_S = 10_000_000_000_000, 5000.0
HOUR = 3600.0


MISSING = NOW_NS * 1e-9  # the age by a stamp of zero


def aged(stamp_s: float, arrived_s: float, sent_s: float | None = None) -> Age:
    """Of an image stamped, arrived and sent so long ago; None: its sending is not known."""
    sent = 0.0 if sent_s is None else NOW_S - sent_s
    header = Header(NOW_NS - round(stamp_s * 1e9), '', NOW_S - arrived_s, sent)
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


@pytest.mark.parametrize(('sent_s', 'age_s'), [(7.0, 7.0), (-HOUR, 0.1)])
def test_without_a_credible_stamp_the_clock_of_the_sender_counts_too(
    sent_s: float, age_s: float
) -> None:
    for stamp_s in (MISSING, -HOUR):
        assert aged(stamp_s, 0.1, sent_s).seconds == pytest.approx(age_s)


@pytest.mark.parametrize(
    ('stamp_s', 'credible'),
    [(0.2, True), (HOUR, True), (-0.8, True), (-1.0, False), (-HOUR, False), (MISSING, False)],
)
def test_a_stamp_is_credible_unless_it_is_missing_or_ahead(stamp_s: float, credible: bool) -> None:
    assert aged(stamp_s, 0.1).credible == credible


def test_an_image_that_is_no_camera_s_has_no_age() -> None:
    assert age_of(Header(), NOW_NS, NOW_S) == Age()
    assert Age().seconds == 0.0


@pytest.mark.parametrize(
    ('stamp_s', 'fault'),
    [
        (0.2, ''),
        (HOUR, 'stamps are 3599.9 s behind this clock'),
        (-HOUR, 'stamps are 3600.1 s ahead of this clock'),
        (MISSING, 'stamps are missing (zero); ages count from the sending or arrival of images'),
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


@pytest.mark.parametrize('stamp_s', [MISSING, -HOUR])
def test_an_image_that_was_sent_long_ago_waited_or_its_sender_s_clock_is_behind(
    stamp_s: float,
) -> None:
    text = stale(aged(stamp_s, 0.1, 7.1), 2.0)
    assert text.startswith('by the clock of its sender the image was sent 7.10 s ago and max_age')
    assert 'waited on its way, or that clock is 7.0 s behind; set both clocks alike' in text
    assert 'check that the camera' not in text


def test_a_sender_whose_clock_is_behind_is_named_where_stamps_are_missing() -> None:
    fault = 'stamps are missing (zero); by the clock of their sender, images came after 3600.0 s'
    assert aged(MISSING, 0.1, HOUR + 0.1).stamp_fault == fault


def test_the_steady_clock_goes_on() -> None:
    first = steady_s()
    assert 0 < first <= steady_s()
