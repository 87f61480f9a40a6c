from mobilevlm_ros.engine.gates import ChangedViews
from tests.engine.support import grey


def test_each_camera_is_compared_with_what_was_worth_a_look() -> None:
    changed = ChangedViews()
    dark, halves = grey(100), grey(100)
    halves.pixels[:, 4:] = 30
    assert changed(dark)
    assert not changed(grey(101))
    assert changed(halves)
    assert not changed(halves)
    assert changed(grey(100, camera='rear'))
