"""How old a frame is that a worker answers about, by clocks that the test moves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobilevlm_ros.engine import (
    Answer,
    Caption,
    Frame,
    NoImageError,
    Question,
    StaleImageError,
)
from tests.engine.support import (
    SECOND,
    WAIT_S,
    Clocks,
    Gate,
    Q,
    Start,
    Views,
    error_of,
    show,
    until,
)
from tests.engine.support import grey as grey_frame

HOUR = 3600 * SECOND


def grey(level: int, camera: str = 'front', **fields: Any) -> Frame:
    return grey_frame(level, camera=camera, **fields)


def test_a_frame_without_a_stamp_ages_from_its_arrival(start: Start, clocks: Clocks) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10))
    assert worker.submit(Q).result(WAIT_S).timing.image_age_ms == 0
    clocks.wait(10.0)
    for newest in (False, True):
        assert isinstance(error_of(worker.submit(Q, newest=newest)), StaleImageError)


def test_stamps_that_are_ahead_do_not_make_a_frame_young(start: Start, clocks: Clocks) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10, stamp_ns=clocks.now_ns + 24 * HOUR))
    worker.submit(Q).result(WAIT_S)
    clocks.wait(10.0)
    assert isinstance(error_of(worker.submit(Q)), StaleImageError)


def test_a_clock_that_stands_still_or_is_set_back_does_not_make_a_frame_young(
    start: Start, clocks: Clocks
) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10, stamp_ns=clocks.now_ns))
    worker.submit(Q).result(WAIT_S)
    clocks.now_s += 10
    for back in (0, HOUR):
        clocks.now_ns -= back
        assert isinstance(error_of(worker.submit(Q)), StaleImageError)


def test_stamps_behind_a_camera_that_runs_are_said_to_be_a_matter_of_clocks(
    start: Start, clocks: Clocks
) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10, stamp_ns=clocks.now_ns - HOUR // 10))
    error = error_of(worker.submit(Q))
    assert isinstance(error, StaleImageError)
    assert '360.0 s behind this clock' in str(error) and 'is publishing' not in str(error)


def test_a_source_may_say_that_its_frame_arrived_earlier(start: Start, clocks: Clocks) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    clocks.wait(100.0)
    worker.offer('front', lambda: grey(10, arrived_s=clocks.now_s - 9))
    assert isinstance(error_of(worker.submit(Q)), StaleImageError)


def test_any_age_has_to_be_asked_for(start: Start, clocks: Clocks) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10))
    worker.submit(Q).result(WAIT_S)
    clocks.wait(10.0)
    answer = worker.submit(Question('Q', max_age_s=float('inf'))).result(WAIT_S)
    assert answer.timing.image_age_ms == answer.timing.final_age_ms == 10_000


def shown_again(start: Start, clocks: Clocks, **settings: object) -> Callable[[], Answer]:
    """A view that was encoded 9 s ago, and found unchanged just now; asks about it."""
    views = Views()
    worker = start(clocks.engine(look='on_change', look_rate_hz=0.0, **settings), gate=views)
    worker.show(grey(10, stamp_ns=clocks.now_ns, frame_id='before'))
    worker.submit(Q).result(WAIT_S)
    clocks.wait(9.0)
    show(worker, views, grey(10, stamp_ns=clocks.now_ns, frame_id='after'))
    return lambda: worker.submit(Q).result(WAIT_S)


def test_a_view_found_unchanged_is_answered_under_the_newest_header(
    start: Start, clocks: Clocks
) -> None:
    ask = shown_again(start, clocks, max_age_s=0.5)
    answer = ask()
    assert (answer.stamp_ns, answer.frame_id) == (clocks.now_ns, 'after')
    timing = answer.timing
    assert (timing.encode_ms, timing.image_age_ms, timing.unchanged_ms) == (0, 0, 9000)
    clocks.wait(0.4)
    assert ask().timing.image_age_ms == pytest.approx(400)


def test_a_view_is_not_confirmed_by_frames_that_nobody_compared(
    start: Start, clocks: Clocks
) -> None:
    ask = shown_again(start, clocks, max_age_s=0.5)
    clocks.wait(1.0)
    with pytest.raises(StaleImageError):
        ask()


def test_the_stamp_of_an_answer_can_be_asked_about(start: Start, clocks: Clocks) -> None:
    views = Views()
    worker = start(clocks.engine(look_rate_hz=0.0), gate=views)
    stamps = []
    for _ in range(3):
        clocks.wait(1.0)
        show(worker, views, grey(10, stamp_ns=clocks.now_ns))
        stamps.append(worker.submit(Q).result(WAIT_S).stamp_ns)
    assert len(set(stamps)) == 3
    for stamp_ns in stamps:
        assert worker.submit(Q, stamp_ns=stamp_ns).result(WAIT_S).stamp_ns == stamp_ns
    assert isinstance(error_of(worker.submit(Q, stamp_ns=stamps[0] + 1)), NoImageError)


def test_a_frame_after_one_that_failed_is_not_taken_for_unchanged(
    start: Start, clocks: Clocks
) -> None:
    engine, views = clocks.engine(look_rate_hz=0.0), Views()
    encode = engine.encode

    def fail_once(frame: Frame) -> object:
        if frame.frame_id == 'broken':
            raise RuntimeError('a fault')
        return encode(frame)

    engine.encode = fail_once  # type: ignore[method-assign, assignment]
    worker = start(engine, gate=views)
    worker.show(grey(10))
    worker.submit(Q).result(WAIT_S)
    show(worker, views, grey(90, frame_id='broken'))
    worker.show(grey(90, frame_id='whole'))
    until(lambda: worker.submit(Q).result(WAIT_S).text == 'Q brightness 90')


def test_captions_repeat_under_the_newest_header_and_end_with_the_camera(
    start: Start, clocks: Clocks
) -> None:
    captions: list[Caption] = []
    engine = clocks.engine(
        look_rate_hz=0.0, max_age_s=0.5, caption_heartbeat_s=0.01, caption_period_s=0.0
    )
    worker = start(engine, captions.append, gate=Views())

    def show_again() -> bool:
        clocks.wait(1.0)
        worker.show(grey(10, stamp_ns=clocks.now_ns))
        return len(captions) > 1

    until(show_again)
    first, last = captions[0].answer, captions[-1].answer
    assert last.stamp_ns > first.stamp_ns
    since_ms = (last.stamp_ns - first.stamp_ns) * 1e-6
    assert last.timing.unchanged_ms == first.timing.unchanged_ms + since_ms
    assert last.timing.image_age_ms <= 500


def test_pixels_of_a_region_are_those_of_the_newest_header(start: Start, clocks: Clocks) -> None:
    count: list[Frame] = []

    def views(frame: Frame, wanted: bool) -> bool:
        count.append(frame)
        return wanted or len(count) == 1

    worker = start(clocks.engine(look_rate_hz=0.0), gate=views)
    worker.show(grey(10, stamp_ns=5))
    worker.submit(Q).result(WAIT_S)
    quarter = np.full((8, 8, 3), 10, np.uint8)
    quarter[:4, :4] = 90
    worker.show(Frame(quarter, 6, 'front'))
    until(lambda: len(count) == 2)
    worker.show(grey(10, camera='other'))
    until(lambda: len(count) == 3)
    answer = worker.submit(Question('Q', roi=(0, 0, 4, 4))).result(WAIT_S)
    assert (answer.text, answer.stamp_ns) == ('Q brightness 90', 6)


def test_a_view_unchanged_for_long_is_encoded_again_for_a_question(
    start: Start, clocks: Clocks
) -> None:
    ask = shown_again(start, clocks, look_again_s=1e-6)
    answer = ask()
    assert answer.timing.unchanged_ms == 0 and answer.timing.encode_ms > 0
    assert answer.frame_id == 'after'


def test_the_time_that_a_look_takes_does_not_make_its_frame_stale(
    start: Start, clocks: Clocks
) -> None:
    engine = clocks.engine(max_age_s=0.5)
    encode = engine.encode

    def slowly(frame: Frame) -> object:
        encoded = encode(frame)
        clocks.wait(3.0)
        object.__setattr__(
            encoded, 'timing', type(encoded.timing)(total_ms=3000.0, encode_ms=3000.0)
        )
        return encoded

    engine.encode = slowly  # type: ignore[method-assign, assignment]
    worker = start(engine)
    worker.show(grey(10))
    answer = worker.submit(Q, newest=True).result(WAIT_S)
    assert answer.timing.image_age_ms == 0 and answer.timing.final_age_ms == 3000
    assert isinstance(error_of(worker.submit(Q)), StaleImageError)


def test_the_age_of_a_frame_found_unchanged_during_a_look_is_its_own(
    start: Start, clocks: Clocks
) -> None:
    engine, views = clocks.engine(look_rate_hz=0.0), Views()
    llm = engine.language.llm
    gate = llm.decode_embeddings = Gate(llm.decode_embeddings)  # type: ignore[method-assign]
    worker = start(engine, gate=views)
    worker.show(grey(10, stamp_ns=clocks.now_ns - SECOND // 2))
    reply = worker.submit(Q)
    assert gate.entered.wait(WAIT_S)
    clocks.wait(1.0)
    show(worker, views, grey(10, stamp_ns=clocks.now_ns))
    gate.open()
    answer = reply.result(WAIT_S)
    assert answer.stamp_ns == clocks.now_ns and answer.timing.unchanged_ms == 1000
    assert answer.timing.image_age_ms == answer.timing.final_age_ms == 0


@pytest.mark.parametrize(('waited_s', 'late'), [(1.0, False), (5.0, True)])
def test_of_questions_asked_together_one_that_begins_too_late_is_refused(
    start: Start, clocks: Clocks, waited_s: float, late: bool
) -> None:
    worker = start(clocks.engine(active_questions=1, max_age_s=2.0))
    worker.show(grey(10))
    first, second = worker.submit_all([Q, Question('late')], newest=True)
    first.add_done_callback(lambda _: clocks.wait(waited_s))
    assert first.result(WAIT_S).timing.image_age_ms == 0
    assert isinstance(second.exception(WAIT_S), StaleImageError) == late


def test_a_conversation_about_another_camera_waits_for_a_newer_frame_of_it(
    start: Start, clocks: Clocks
) -> None:
    worker = start(clocks.engine(look='on_demand', max_age_s=0.5))
    worker.show(grey(10, camera='front'))
    worker.show(grey(20, camera='rear'))
    ask = Question('Q', session='s')
    assert worker.submit(ask, 'rear').result(WAIT_S).text == 'Q brightness 20'
    clocks.wait(9.0)
    worker.show(grey(30, camera='front'))
    worker.show(grey(90, camera='rear'))
    answer = worker.submit(ask).result(WAIT_S)
    assert answer.camera == 'rear' and answer.text.endswith('Q brightness 90')
    clocks.wait(9.0)
    assert isinstance(error_of(worker.submit(ask)), StaleImageError)
