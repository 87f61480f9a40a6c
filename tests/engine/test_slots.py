import math

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, EncodedFrame, Frame, Timing
from mobilevlm_ros.engine.slots import CameraSlot, FrameSource


def frame(level: int) -> Frame:
    return Frame(np.full((2, 2, 3), level, np.uint8))


def source(level: int) -> FrameSource:
    return lambda: frame(level)


def encoded(frame: Frame) -> EncodedFrame:
    return EncodedFrame(frame, np.zeros((4, 8), np.float32), Timing())


def test_the_newest_frame_wins() -> None:
    slot, sources = CameraSlot(), [source(1), source(2), source(3)]
    for one in sources:
        slot.show(one)
    slot.take(now=0.0)
    assert (slot.taken, slot.source) == (3, sources[2])
    assert slot.due(wanted=0) == math.inf


def test_frames_are_taken_no_faster_than_the_period() -> None:
    slot = CameraSlot(period_s=0.5)
    slot.show(source(1))
    assert slot.due(wanted=0) <= 10.0
    slot.take(now=10.0)
    slot.show(source(2))
    assert slot.due(wanted=0) == 10.5


def test_a_question_that_waits_for_a_frame_hurries_it() -> None:
    slot = CameraSlot(period_s=0.5)
    slot.show(source(1))
    slot.take(now=10.0)
    slot.show(source(2))
    assert slot.due(wanted=1) == 10.5
    assert slot.due(wanted=2) == -math.inf


def test_nothing_is_encoded_ahead_while_the_last_frame_waits_to_be_held() -> None:
    slot = CameraSlot()
    slot.show(source(1))
    slot.take(now=0.0)
    slot.encoded = slot.taken, encoded(frame(1))
    slot.show(source(2))
    assert slot.due(wanted=1) == math.inf
    assert slot.due(wanted=2) == -math.inf


def test_an_older_frame_that_fails_late_does_not_hide_the_newer_failure() -> None:
    slot, newer, older = CameraSlot(), BackendError('newer'), BackendError('older')
    slot.fail(6, newer)
    slot.fail(5, older)
    assert slot.failure is newer
    assert not slot.can_hold(6)


@pytest.mark.parametrize('wanted', [0, 1])
def test_an_infinite_period_means_only_when_asked_for(wanted: int) -> None:
    slot = CameraSlot(period_s=math.inf)
    slot.show(source(1))
    assert slot.due(wanted) == (-math.inf if wanted else math.inf)


def test_a_frame_found_unchanged_confirms_the_one_that_was_encoded_before_it_alone() -> None:
    slot, first, newer = CameraSlot(), frame(1), frame(2)
    slot.show(source(1))
    slot.take(now=0.0)
    slot.encoding = slot.taken
    slot.show(source(2))
    slot.take(now=1.0)
    slot.skip(slot.taken, newer)
    assert slot.latest is None and slot.unchanged_s(9.0) == 0
    slot.hold(1, encoded(first), Timing(), now=2.0)
    assert slot.latest is newer and slot.unchanged_s(9.0) == 9.0
    slot.hold(3, encoded(first), Timing(), now=3.0)
    assert slot.latest is first


def test_a_frame_that_was_decoded_is_kept_until_a_newer_one_is_shown() -> None:
    slot, first = CameraSlot(), frame(1)
    slot.show(source(1))
    slot.keep(1, first)
    assert slot.source is not None and slot.source() is first
    newer = source(2)
    slot.show(newer)
    slot.keep(1, first)
    assert slot.source is newer


def test_a_frame_that_made_way_may_be_looked_at_again() -> None:
    slot, first = CameraSlot(period_s=math.inf), frame(1)
    slot.show(source(1))
    slot.take(now=0.0)
    slot.hold(1, encoded(first), Timing(), now=1.0)
    assert not slot.coming and slot.due(wanted=1) == math.inf
    slot.lose()
    assert slot.coming and slot.due(wanted=1) == -math.inf


def test_a_frame_that_could_not_be_decoded_is_not_taken() -> None:
    slot = CameraSlot()
    slot.show(source(1))
    slot.fail(1, BackendError('damaged'))
    assert slot.due(wanted=0) == slot.due(wanted=1) == math.inf
