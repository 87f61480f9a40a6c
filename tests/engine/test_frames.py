from mobilevlm_ros.engine.frames import HeldFrame
from tests.engine.support import grey


def test_the_whole_age_of_a_frame_that_was_found_unchanged_counts() -> None:
    first, newer = grey(5, stamp_ns=7), grey(5, stamp_ns=8)
    held = HeldFrame(first, sequence=0, visual_tokens=4)
    held.look_s = 3.0
    held.confirm(first)
    assert (held.header().stamp_ns, held.look_s) == (7, 3.0)
    held.confirm(newer)
    assert (held.header().stamp_ns, held.look_s) == (8, 0.0)
