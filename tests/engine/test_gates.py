from mobilevlm_ros.engine.gates import ChangedViews
from mobilevlm_ros.engine.types import Frame
from tests.engine.support import grey


def test_each_camera_is_compared_with_what_was_worth_a_look() -> None:
    changed = ChangedViews()
    dark, halves = grey(100), grey(100)
    halves.pixels[:, 4:] = 30
    assert changed(dark, False)
    assert not changed(grey(101), False)
    assert changed(halves, False)
    assert not changed(halves, False)
    assert changed(grey(100, camera='rear'), False)


def test_what_was_wanted_is_what_later_frames_are_compared_with() -> None:
    changed = ChangedViews()
    assert changed(half(100), False)
    assert not changed(half(104), False) and not changed(half(96), False)
    assert changed(half(104), True)
    assert changed(half(96), False)  # twice as far from that


def half(level: int) -> Frame:
    """A grey frame whose right half is of this level."""
    frame = grey(100)
    frame.pixels[:, 4:] = level
    return frame
