"""Regions of frames, and frames named by their stamp: how old they may be, and which they are."""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from mobilevlm_ros.engine import (
    BackendError,
    EncodedFrame,
    Engine,
    EngineWorker,
    Frame,
    ImageError,
    NoImageError,
    Question,
    StaleImageError,
)
from mobilevlm_ros.engine.slots import FrameSource
from tests.engine.support import (
    SECOND,
    WAIT_S,
    Clock,
    Clocks,
    Q,
    Start,
    Views,
    error_of,
    grey,
    halves,
    show,
    slow,
    text_of,
    until,
)

CORNER = Question('Q', roi=(0, 0, 4, 4))


class SlowEncoder:
    """Encodes an image when the test lets it go on, which takes 3 s by the test's clocks."""

    def __init__(self, engine: Engine, clocks: Clocks, clock: Clock) -> None:
        self.begun: list[int] = []  # brightness of images
        self.at_the_end: Callable[[], object] = int
        self._encode, self._clocks, self._clock = engine.encode, clocks, clock
        self._permits = threading.Semaphore(0)
        engine.encode = self  # type: ignore[method-assign, assignment]

    def __call__(self, frame: Frame) -> EncodedFrame:
        self.begun.append(int(frame.pixels.mean()))
        assert self._permits.acquire(timeout=WAIT_S)
        encoded = self._encode(frame)
        self._clocks.wait(3.0)
        self._clock.ahead_s += 3.0
        self.at_the_end()
        timing = replace(encoded.timing, encode_ms=3000.0, total_ms=3000.0)
        return replace(encoded, timing=timing)

    def go_on(self, images: int = 1) -> None:
        self._permits.release(images)


@dataclass
class Busy:
    """A worker that holds a frame of 9 s ago, and is in the middle of a look at another one."""

    clocks: Clocks
    worker: EngineWorker
    encoder: SlowEncoder

    def end_look(self, source: FrameSource) -> None:
        """Let the camera show one more frame at the end of the look, once questions wait."""
        until(lambda: self.worker._board.images)
        self.encoder.at_the_end = lambda: self.worker.offer('front', source)
        self.encoder.go_on()
        until(lambda: len(self.encoder.begun) == 3)
        self.encoder.at_the_end = int


@pytest.fixture
def busy(start: Start, clocks: Clocks, clock: Clock) -> Iterator[Busy]:
    engine = clocks.engine(look='always', look_rate_hz=0.0, max_age_s=2.0)
    busy = Busy(clocks, start(engine), SlowEncoder(engine, clocks, clock))
    busy.worker.show(grey(10, camera='front'))
    busy.encoder.go_on()
    text_of(busy.worker.submit(Q, newest=True))
    clocks.wait(9.0)
    busy.worker.show(grey(20, camera='front'))
    until(lambda: len(busy.encoder.begun) == 2)
    yield busy
    busy.encoder.go_on(9)


def fresh(clocks: Clocks) -> Frame:
    return grey(90, camera='front', stamp_ns=clocks.now_ns, frame_id='lens')


@pytest.mark.parametrize('newest', [False, True])
def test_a_region_is_of_the_newest_frame_where_the_held_one_is_too_old(
    busy: Busy, newest: bool
) -> None:
    region = busy.worker.submit(CORNER, newest=newest)
    busy.end_look(lambda: fresh(busy.clocks))
    busy.encoder.go_on()
    answer = region.result(WAIT_S)
    assert busy.encoder.begun[:3] == [10, 20, 90]
    assert (answer.text, answer.frame_id) == ('Q brightness 90', 'lens')
    assert answer.timing.image_age_ms == 0 and answer.timing.final_age_ms == 3000


def test_regions_that_are_asked_about_together_are_of_one_frame(busy: Busy) -> None:
    regions = busy.worker.submit_all([replace(CORNER, max_age_s=8.0)] * 3)
    busy.end_look(lambda: fresh(busy.clocks))
    busy.encoder.at_the_end = lambda: busy.worker.show(grey(200, camera='front'))
    for region, images in zip(regions, (1, 2, 2), strict=True):  # by turns with looks
        busy.encoder.go_on(images)
        assert text_of(region) == 'Q brightness 90'


def test_a_frame_is_decoded_once_for_its_regions_and_its_look(busy: Busy) -> None:
    decoded: list[str] = []

    def source() -> Frame:
        decoded.append(threading.current_thread().name)
        return fresh(busy.clocks)

    any_age = replace(CORNER, max_age_s=math.inf)
    regions = [busy.worker.submit(any_age, newest=True) for _ in range(2)]
    busy.end_look(source)
    busy.encoder.go_on(9)
    for region in regions:
        region.result(WAIT_S)
    answer = busy.worker.submit(replace(Q, max_age_s=math.inf), newest=True).result(WAIT_S)
    assert (answer.text, decoded) == ('Q brightness 90', ['vision'])


def test_a_region_of_a_frame_that_cannot_be_decoded_has_its_error(
    start: Start, clocks: Clocks
) -> None:
    worker = start(clocks.engine(look='on_demand'))

    def broken() -> Frame:
        raise ImageError('the data are truncated')

    worker.offer('front', broken)
    for question in (CORNER, Q, CORNER):
        assert isinstance(error_of(worker.submit(question)), ImageError)
    worker.show(grey(5, camera='front'))
    assert text_of(worker.submit(CORNER)) == 'Q brightness 5'
    until(lambda: worker.load().waiting == 0)


def test_a_region_waits_for_no_look_at_the_whole_frame(start: Start, clocks: Clocks) -> None:
    engine = clocks.engine(look='on_demand')
    worker = start(engine)
    worker.show(grey(5, camera='front'))
    assert text_of(worker.submit(CORNER)) == 'Q brightness 5'
    assert engine._encoder.encoded == 1  # type: ignore[attr-defined]


def test_a_region_of_a_camera_that_stopped_is_not_encoded(start: Start, clocks: Clocks) -> None:
    engine = clocks.engine(max_age_s=0.5)
    worker = start(engine)
    worker.show(grey(5, camera='front'))
    text_of(worker.submit(Q))
    clocks.wait(9.0)
    assert isinstance(error_of(worker.submit(CORNER)), StaleImageError)
    assert engine._encoder.encoded == 1  # type: ignore[attr-defined]


def test_a_region_and_the_whole_frame_asked_about_together_are_of_one_frame(
    start: Start,
) -> None:
    worker = start(slow(0.01, active_questions=1, look_rate_hz=0.0))
    worker.show(halves(10, 200))
    first = worker.submit(Question('L' * 150, max_tokens=100))
    until(lambda: first.begun)
    right = Question('Q', roi=(4, 0, 4, 4))
    replies = worker.submit_all([CORNER, Q, right])
    until(lambda: worker.load().held_frames == 2)
    worker.show(grey(90))
    until(lambda: worker._board.slots[''].held == 2)
    first.cancel()
    texts = [text_of(reply) for reply in replies]
    assert texts == ['Q brightness 10', 'Q brightness 105', 'Q brightness 200']
    until(lambda: worker.load().held_frames == 1)


def test_a_frame_goes_when_the_last_of_those_asked_about_it_fails(start: Start) -> None:
    engine = slow(0.01, active_questions=1, look_rate_hz=0.0)
    encode = engine.encode

    def fail_on_black(frame: Frame) -> EncodedFrame:
        return encode(frame) if frame.pixels.max() else 1 / 0  # type: ignore[return-value]

    engine.encode = fail_on_black  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(halves(0, 200))
    whole, region = worker.submit_all([Q, CORNER])
    assert text_of(whole) == 'Q brightness 101'
    assert isinstance(error_of(region), BackendError)
    worker.show(grey(90))
    assert text_of(worker.submit(Q, newest=True)) == 'Q brightness 90'
    until(lambda: worker.load().held_frames == 1)


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
    start: Start, clocks: Clocks, clock: Clock
) -> None:
    engine = clocks.engine(look='on_demand', max_age_s=0.5)
    encoder = SlowEncoder(engine, clocks, clock)
    worker = start(engine)
    encoder.go_on()
    worker.show(grey(10, camera='front'))
    assert text_of(worker.submit(CORNER)) == 'Q brightness 10'


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
