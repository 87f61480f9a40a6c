"""Regions of frames, and frames named by their stamp: how old they may be, and which they are."""

from dataclasses import replace

from mobilevlm_ros.engine import EngineWorker, NoImageError, Question, StaleImageError
from tests.engine.support import (
    SECOND,
    WAIT_S,
    Clocks,
    Q,
    Start,
    Views,
    error_of,
    grey,
    show,
    text_of,
    until,
)

CORNER = Question('Q', roi=(0, 0, 4, 4))


def test_a_region_that_grew_old_while_its_question_waited_is_stale(
    start: Start, clocks: Clocks
) -> None:
    engine = clocks.engine(lambda *_: 'and so on ' * 40, max_age_s=0.5)
    engine.language.llm._delay_s = 0.02  # type: ignore[attr-defined]
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    first = worker.submit(Question('Q', session='tour', max_tokens=400))
    until(lambda: first.begun)
    held = worker.load().held_frames
    region = worker.submit(replace(CORNER, session='tour'))
    until(lambda: worker.load().held_frames > held)
    clocks.wait(9.0)
    first.cancel()
    assert isinstance(error_of(region), StaleImageError)


def test_the_time_that_a_region_takes_to_encode_does_not_make_it_stale(
    start: Start, clocks: Clocks
) -> None:
    engine = clocks.engine(max_age_s=0.5)
    encode = engine.encode

    def slowly(frame: object) -> object:
        encoded = encode(frame)  # type: ignore[arg-type]
        clocks.wait(3.0)
        return replace(encoded, timing=replace(encoded.timing, total_ms=3000.0))

    engine.encode = slowly  # type: ignore[method-assign, assignment]
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    assert text_of(worker.submit(CORNER, newest=True)) == 'Q brightness 10'


def test_a_conversation_about_a_region_goes_on_with_the_camera(
    start: Start, clocks: Clocks
) -> None:
    worker = start(clocks.engine(max_age_s=0.5))
    worker.show(grey(10, camera='front'))
    worker.submit(replace(CORNER, session='tour'), 'front').result(WAIT_S)
    clocks.wait(9.0)
    follow_up = Question('Q', session='tour')
    assert isinstance(error_of(worker.submit(follow_up)), StaleImageError)
    worker.show(grey(90, camera='front'))
    assert text_of(worker.submit(follow_up)).endswith('Q brightness 90')


def seen_unchanged(start: Start, clocks: Clocks) -> tuple[EngineWorker, list[int]]:
    """A worker that was asked about three frames of one view, a second apart; their stamps."""
    views = Views()
    worker = start(clocks.engine(look_rate_hz=0.0), gate=views)
    stamps = []
    for _ in range(3):
        clocks.wait(1.0)
        show(worker, views, grey(10, camera='front', stamp_ns=clocks.now_ns))
        stamps.append(worker.submit(Q).result(WAIT_S).stamp_ns)
    return worker, stamps


def test_the_age_of_a_frame_named_by_its_stamp_counts_from_that_stamp(
    start: Start, clocks: Clocks
) -> None:
    worker, stamps = seen_unchanged(start, clocks)
    brief = replace(Q, max_age_s=1.5)
    assert isinstance(error_of(worker.submit(brief, stamp_ns=stamps[0])), StaleImageError)
    answer = worker.submit(brief, stamp_ns=stamps[1]).result(WAIT_S)
    assert (answer.stamp_ns, answer.timing.image_age_ms) == (stamps[1], SECOND * 1e-6)


def test_a_region_has_the_stamp_that_was_named_or_is_refused(
    start: Start, clocks: Clocks
) -> None:
    worker, stamps = seen_unchanged(start, clocks)
    for stamp_ns in (stamps[0], stamps[2]):
        assert worker.submit(CORNER, stamp_ns=stamp_ns).result(WAIT_S).stamp_ns == stamp_ns
    error = error_of(worker.submit(CORNER, stamp_ns=stamps[1]))
    assert isinstance(error, NoImageError)
    for stamp_ns in (stamps[0], stamps[2]):
        assert f'{stamp_ns // SECOND}.' in str(error)
