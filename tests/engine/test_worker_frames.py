import threading
import time
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from operator import attrgetter
from typing import Any

import pytest

from mobilevlm_ros.engine import (
    Answer,
    EncodedFrame,
    EngineConfig,
    Frame,
    NoImageError,
    StaleImageError,
    create_fake_engine,
)
from tests.engine.support import WAIT_S, Gate, Q, Start, error_of, grey, text_of, until


def test_frames_are_looked_at_before_anyone_asks(start: Start) -> None:
    worker = start()
    worker.show(grey(40))
    until(lambda: worker._board.slots[''].held == 1)
    timing = worker.submit(Q).result(WAIT_S).timing
    assert timing.encode_ms == 0
    assert timing.reused_tokens == len('USER: ') + 1 + 4


def test_on_demand_nothing_is_looked_at_until_someone_asks(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    worker = start(engine)
    for level in (10, 20, 30):
        worker.show(grey(level))
    assert engine._encoder.encoded == 0  # type: ignore[attr-defined]
    answer = worker.submit(Q).result(WAIT_S)
    assert answer.text == 'Q brightness 30'
    assert answer.timing.encode_ms > 0
    assert text_of(worker.submit(Q)) == 'Q brightness 30'
    assert engine._encoder.encoded == 1  # type: ignore[attr-defined]


def test_of_frames_shown_while_the_encoder_is_busy_the_newest_wins(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='always', look_rate_hz=0.0))
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    for level in range(10, 100, 10):
        worker.show(grey(level))
        assert gate.entered.wait(WAIT_S)
    gate.open()
    until(lambda: worker._board.slots[''].held == 9)
    assert text_of(worker.submit(Q)) == 'Q brightness 90'
    assert engine._encoder.encode._call.__self__.encoded == 2  # type: ignore[attr-defined]


def test_two_cameras_faster_than_the_language_model_are_held_by_turns(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='always', look_rate_hz=0.0))
    hold = engine.language.hold
    held: list[str] = []

    def slow_hold(frame: Frame, *rest: Any) -> Any:
        held.append(frame.camera)
        if len(held) <= 6:
            for camera in ('front', 'rear'):
                worker.show(grey(10, camera=camera))
            until(lambda: all(slot.encoded for slot in worker._board.slots.values()))
        return hold(frame, *rest)

    engine.language.hold = slow_hold  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    until(lambda: len(held) >= 6)
    assert all(one != other for one, other in pairwise(held[1:6]))


def test_two_cameras_that_are_asked_about_all_the_time_are_encoded_by_turns(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    encode = engine.encode
    encoded: list[str] = []

    def slow_encode(frame: Frame) -> EncodedFrame:
        encoded.append(frame.camera)
        if len(encoded) <= 4:
            for camera in ('front', 'rear'):
                worker.show(grey(10, camera=camera))
                worker.submit(Q, camera)
        return encode(frame)

    engine.encode = slow_encode  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    worker.submit(Q)
    until(lambda: len(encoded) >= 4)
    assert encoded[:4] == ['front', 'rear'] * 2


def test_the_slowest_look_rate_is_no_trouble(start: Start) -> None:
    worker = start(look_rate_hz=1e-300)
    worker.show(grey(10))
    until(lambda: worker._board.slots[''].held == 1)
    worker.show(grey(20))
    time.sleep(0.05)  # the vision thread goes to sleep for ever
    assert text_of(worker.submit(Q, newest=True)) == 'Q brightness 20'


def test_the_look_rate_is_kept(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='always', look_rate_hz=20.0))
    worker = start(engine)
    begin = time.monotonic()
    while engine._encoder.encoded < 5:  # type: ignore[attr-defined]
        worker.show(grey(50))
        time.sleep(0.002)
    assert time.monotonic() - begin >= 4 / 20


def test_newest_looks_at_the_newest_frame_first(start: Start) -> None:
    worker = start(look_rate_hz=0.01)
    worker.show(grey(10))
    until(lambda: worker._board.slots[''].held == 1)
    worker.show(grey(20))
    assert text_of(worker.submit(Q)) == 'Q brightness 10'
    answer = worker.submit(Q, newest=True).result(WAIT_S)
    assert answer.text == 'Q brightness 20'
    assert answer.timing.encode_ms > 0
    assert answer.timing.reused_tokens == len('USER: ') + 1
    assert worker.submit(Q, newest=True).result(WAIT_S).timing.encode_ms == 0


def test_each_camera_has_its_own_frame_and_the_first_is_the_default(start: Start) -> None:
    worker = start()
    worker.show(grey(10, camera='front'))
    worker.show(grey(200, camera='rear'))
    assert text_of(worker.submit(Q, 'rear')) == 'Q brightness 200'
    assert worker.submit(Q).result(WAIT_S).camera == 'front'
    assert isinstance(error_of(worker.submit(Q, 'left')), NoImageError)


def test_a_frame_that_is_too_old_is_replaced_by_one_that_waits_or_refused(start: Start) -> None:
    now_ns = [10_000_000_000]
    config = EngineConfig(look_rate_hz=0.01, max_age_s=1.0)
    worker = start(create_fake_engine(config, clock=lambda: now_ns[0]))
    worker.show(grey(10, stamp_ns=now_ns[0]))
    until(lambda: worker._board.slots[''].held == 1)
    now_ns[0] += 2_000_000_000
    assert isinstance(error_of(worker.submit(Q)), StaleImageError)
    worker.show(grey(20, stamp_ns=now_ns[0]))
    assert text_of(worker.submit(Q)) == 'Q brightness 20'


@pytest.mark.parametrize(
    ('model', 'call'), [('_encoder', 'encode'), ('language.llm', 'decode_embeddings')]
)
def test_of_a_look_in_progress_only_the_rest_counts(start: Start, model: str, call: str) -> None:
    engine = create_fake_engine()
    part = attrgetter(model)(engine)
    gate = Gate(getattr(part, call))
    setattr(part, call, gate)
    worker = start(engine)
    worker.show(grey(10))
    assert gate.entered.wait(WAIT_S)
    time.sleep(0.05)
    future = worker.submit(Q)
    gate.open()
    timing = future.result(WAIT_S).timing
    parts = timing.queue_ms + timing.encode_ms + timing.prefill_ms + timing.decode_ms
    assert parts <= timing.total_ms
    assert timing.encode_ms + timing.prefill_ms > 0


def test_looks_go_on_while_questions_are_asked_all_the_time(start: Start) -> None:
    worker = start(look='always')
    worker.show(grey(0))
    seen: list[str] = []

    def ask_again(future: Future[Answer]) -> None:
        seen.append(future.result().text)
        if len(set(seen)) <= 10:
            worker.show(grey(len(seen) % 256))
            worker.submit(Q).add_done_callback(ask_again)

    for _ in range(3):
        worker.submit(Q).add_done_callback(ask_again)
    until(lambda: len(set(seen)) > 10)


def test_a_frame_that_nobody_looks_at_is_never_decoded(start: Start) -> None:
    worker, decoded = start(look='on_demand'), list[int]()

    def source(level: int) -> Frame:
        assert threading.current_thread().name == 'vision'
        decoded.append(level)
        return grey(level, camera='front')

    for level in (1, 2, 3):
        worker.offer('front', partial(source, level))
    text_of(worker.submit(Q, 'front'))
    assert decoded == [3]
