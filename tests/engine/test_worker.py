import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mobilevlm_ros.engine import (
    Answer,
    BackendError,
    BusyError,
    ClosedError,
    DeadlineError,
    EncodedFrame,
    Engine,
    EngineConfig,
    EngineWorker,
    Frame,
    ImageError,
    NoImageError,
    Question,
    StaleImageError,
    Timing,
    create_fake_engine,
    open_engine,
)

WAIT_S = 30.0  # machines may be busy
Q = Question('Q')
Start = Callable[..., EngineWorker]


def grey(level: int, **fields: Any) -> Frame:
    return Frame(np.full((4, 4, 3), level, np.uint8), **fields)


def error_of(future: Future[Answer]) -> BaseException | None:
    return future.exception(WAIT_S)


def text_of(future: Future[Answer]) -> str:
    return future.result(WAIT_S).text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, 'it did not happen in time'
        time.sleep(0.002)


class Gate:
    """Holds up a call of the engine until it is opened."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, *arguments: Any) -> Any:
        self.entered.set()
        assert self._open.wait(WAIT_S)
        return self._call(*arguments)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def start() -> Iterator[Start]:
    workers: list[EngineWorker] = []

    def start(
        engine: Engine | None = None,
        on_caption: Callable[[Answer], None] | None = None,
        **settings: Any,
    ) -> EngineWorker:
        engine = engine or create_fake_engine(EngineConfig(**{'look_rate_hz': 0.0, **settings}))
        workers.append(EngineWorker(engine, on_caption))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def slow(token_s: float, **settings: Any) -> Engine:
    """An engine whose every token takes so many seconds."""
    engine = create_fake_engine(EngineConfig(**settings))
    engine._llm._delay_s = token_s  # type: ignore[attr-defined]
    return engine


def test_a_question_is_answered_about_the_frame_that_was_shown(start: Start) -> None:
    worker = start()
    worker.show(grey(40, stamp_ns=7, frame_id='optical'))
    answer = worker.submit(Q).result(WAIT_S)
    assert answer.text == 'Q brightness 40'
    assert (answer.stamp_ns, answer.frame_id) == (7, 'optical')


def test_a_question_before_any_frame_fails_at_once(start: Start) -> None:
    future = start().submit(Q, 'front')
    assert future.done()
    assert isinstance(error_of(future), NoImageError)


def test_frames_are_looked_at_before_anyone_asks(start: Start) -> None:
    worker = start()
    worker.show(grey(40))
    until(lambda: worker._slots[''].held == 1)
    timing = worker.submit(Q).result(WAIT_S).timing
    assert timing.encode_ms == 0
    assert timing.reused_tokens == len('USER: ') + 1 + 4


def test_on_demand_nothing_is_looked_at_until_someone_asks(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    worker = start(engine)
    for level in (10, 20, 30):
        worker.show(grey(level))
    time.sleep(0.05)
    assert engine._encoder.encoded == 0  # type: ignore[attr-defined]
    answer = worker.submit(Q).result(WAIT_S)
    assert answer.text == 'Q brightness 30'
    assert answer.timing.encode_ms > 0
    assert text_of(worker.submit(Q)) == 'Q brightness 30'
    assert engine._encoder.encoded == 1  # type: ignore[attr-defined]


def test_of_frames_shown_while_the_encoder_is_busy_the_newest_wins(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=0.0))
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    for level in range(10, 100, 10):
        worker.show(grey(level))
        assert gate.entered.wait(WAIT_S)
    gate.open()
    until(lambda: worker._slots[''].held == 9)
    assert text_of(worker.submit(Q)) == 'Q brightness 90'
    assert engine._encoder.encode._call.__self__.encoded == 2  # type: ignore[attr-defined]


def test_two_cameras_faster_than_the_language_model_are_held_by_turns(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=0.0))
    hold = engine.hold
    held: list[str] = []

    def slow_hold(encoded: EncodedFrame) -> Timing:
        held.append(encoded.frame.camera)
        if len(held) <= 6:
            for camera in ('front', 'rear'):
                worker.show(grey(10, camera=camera))
            until(lambda: all(slot.encoded for slot in worker._slots.values()))
        return hold(encoded)

    engine.hold = slow_hold  # type: ignore[method-assign]
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
    until(lambda: worker._slots[''].held == 1)
    worker.show(grey(20))
    time.sleep(0.05)  # the vision thread goes to sleep for ever
    assert text_of(worker.submit(Q, newest=True)) == 'Q brightness 20'


def test_the_look_rate_is_kept(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=20.0))
    worker = start(engine)
    begin = time.monotonic()
    while engine._encoder.encoded < 5:  # type: ignore[attr-defined]
        worker.show(grey(50))
        time.sleep(0.002)
    assert time.monotonic() - begin >= 4 / 20


def test_newest_looks_at_the_newest_frame_first(start: Start) -> None:
    worker = start(look_rate_hz=0.01)
    worker.show(grey(10))
    until(lambda: worker._slots[''].held == 1)
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
    until(lambda: worker._slots[''].held == 1)
    now_ns[0] += 2_000_000_000
    assert isinstance(error_of(worker.submit(Q)), StaleImageError)
    worker.show(grey(20, stamp_ns=now_ns[0]))
    assert text_of(worker.submit(Q)) == 'Q brightness 20'


def test_a_full_queue_answers_busy_at_once_and_serves_those_that_wait(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(queue_size=3))
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    waiting = [worker.submit(Q) for _ in range(3)]
    refused = worker.submit(Q)
    assert refused.done()
    assert isinstance(error_of(refused), BusyError)
    gate.open()
    assert [text_of(future) for future in waiting] == ['Q brightness 10'] * 3


def test_a_question_that_is_cancelled_while_it_waits_leaves_the_queue(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(queue_size=1))
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    assert worker.submit(Q).cancel()
    future = worker.submit(Q)
    gate.open()
    assert text_of(future) == 'Q brightness 10'


def test_an_encoder_that_fails_spoils_that_frame_only(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=0.0))
    encode = engine._encoder.encode

    def fail_on_dark(pixels: np.ndarray) -> np.ndarray:
        if pixels.mean() < -1:
            raise RuntimeError('too dark for me')
        return encode(pixels)

    engine._encoder.encode = fail_on_dark  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(0))
    error = error_of(worker.submit(Q))
    assert isinstance(error, BackendError | NoImageError)
    worker.show(grey(90))
    assert text_of(worker.submit(Q)) == 'Q brightness 90'
    worker.show(grey(0))
    error = error_of(worker.submit(Q, newest=True))
    assert isinstance(error, BackendError) and 'too dark for me' in str(error)
    assert text_of(worker.submit(Q)) == 'Q brightness 90'
    assert error_of(worker.submit(Q, newest=True)) is error  # no newer frame has come


def test_questions_about_a_frame_that_failed_before_do_not_wait_for_it(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    engine._encoder.encode = lambda pixels: 1 / 0  # type: ignore
    worker = start(engine)
    worker.show(grey(10))
    for _ in range(2):
        assert isinstance(error_of(worker.submit(Q)), BackendError)


def test_errors_about_one_failed_frame_do_not_pile_up_tracebacks(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    engine._encoder.encode = lambda pixels: 1 / 0  # type: ignore
    worker = start(engine)
    worker.show(grey(10))
    error_of(worker.submit(Q))
    lengths = set()
    for _ in range(5):
        error = error_of(worker.submit(Q))
        assert error is not None
        lengths.add(len(traceback.extract_tb(error.__traceback__)))
    assert len(lengths) == 1


def test_a_frame_that_could_not_be_held_is_told_from_one_that_never_came(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=0.0))
    worker = start(engine)
    worker.show(grey(10))
    until(lambda: worker._slots[''].held == 1)
    engine._llm.decode_embeddings = lambda *_: 1 / 0  # type: ignore
    worker.show(grey(20))
    until(lambda: worker._slots[''].failed == 2)
    error = error_of(worker.submit(Q))
    assert isinstance(error, BackendError) and 'division by zero' in str(error)


def test_a_language_model_that_fails_spoils_that_question_only(start: Start) -> None:
    engine = create_fake_engine()
    tokenise = engine._llm.tokenise

    def fail_on_boom(text: str) -> list[int]:
        if 'boom' in text:
            raise MemoryError('boom')
        return tokenise(text)

    engine._llm.tokenise = fail_on_boom  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    futures = [worker.submit(Question(text)) for text in ('Q', 'boom', 'Q')]
    assert text_of(futures[0]) == text_of(futures[2]) == 'Q brightness 10'
    assert isinstance(error_of(futures[1]), BackendError)


def test_closing_ends_every_question_with_one_error_within_a_second(start: Start) -> None:
    worker = start(slow(0.01))
    worker.show(grey(10))
    calls: list[Future[Answer]] = []
    futures = [worker.submit(Q) for _ in range(8)]
    for future in futures:
        future.add_done_callback(calls.append)
    until(lambda: worker._current is not None)
    begin = time.monotonic()
    worker.close()
    wait(futures, WAIT_S)
    assert time.monotonic() - begin < 1.0
    assert all(isinstance(error_of(future), ClosedError) for future in futures)
    assert sorted(map(id, calls)) == sorted(map(id, futures))
    assert isinstance(error_of(worker.submit(Q)), ClosedError)


def test_closing_does_not_wait_for_a_stuck_model_to_fail_the_questions(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine._llm.decode_embeddings = Gate(  # type: ignore[method-assign]
        engine._llm.decode_embeddings
    )
    worker = start(engine)
    worker.show(grey(10))
    future = worker.submit(Q)
    assert gate.entered.wait(WAIT_S)
    closing = threading.Thread(target=worker.close)
    closing.start()
    assert isinstance(future.exception(1.0), ClosedError)
    gate.open()
    closing.join(WAIT_S)
    assert not closing.is_alive()


def test_closing_ends_the_threads_and_closes_the_engine(start: Start) -> None:
    before = threading.active_count()
    engine = create_fake_engine()
    with EngineWorker(engine) as worker:
        worker.show(grey(10))
        assert threading.active_count() == before + 2
    assert threading.active_count() == before
    with pytest.raises(ClosedError):
        engine.ask(Q)


def test_a_callback_may_close_the_worker(start: Start) -> None:
    worker = start()
    worker.show(grey(10))
    closed = threading.Event()
    future = worker.submit(Q)
    future.add_done_callback(lambda _: (worker.close(), closed.set()))
    assert closed.wait(WAIT_S)
    assert isinstance(error_of(worker.submit(Q)), ClosedError)


def test_a_deadline_counts_from_when_the_question_came(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    first, second = worker.submit(Q), worker.submit(Question('Q', deadline_s=0.05))
    time.sleep(0.05)
    gate.open()
    assert text_of(first) == 'Q brightness 10'
    assert isinstance(error_of(second), DeadlineError)


def test_waiting_is_told_from_working_in_the_timing(start: Start) -> None:
    engine = slow(0.004)
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    first, second = worker.submit(Q), worker.submit(Q)
    gate.open()
    one, two = (future.result(WAIT_S).timing for future in (first, second))
    assert two.queue_ms > one.decode_ms > 10
    for timing in (one, two):
        before = timing.queue_ms + timing.encode_ms + timing.prefill_ms
        assert before <= timing.first_token_ms
        assert timing.first_token_ms + timing.decode_ms <= timing.total_ms


@pytest.mark.parametrize(
    ('model', 'call'), [('_encoder', 'encode'), ('_llm', 'decode_embeddings')]
)
def test_of_a_look_in_progress_only_the_rest_counts(start: Start, model: str, call: str) -> None:
    engine = create_fake_engine()
    gate = Gate(getattr(getattr(engine, model), call))
    setattr(getattr(engine, model), call, gate)
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


def test_looks_and_answers_take_turns_under_load(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look_rate_hz=0.0))
    gate = engine._llm.decode_embeddings = Gate(  # type: ignore[method-assign]
        engine._llm.decode_embeddings
    )
    worker = start(engine)
    worker.show(grey(0))

    def show_next(future: Future[Answer]) -> None:
        worker.show(grey(10 + futures.index(future)))
        until(lambda: worker._slots[''].encoded is not None)

    futures = [worker.submit(Q) for _ in range(10)]
    for future in futures:
        future.add_done_callback(show_next)
    gate.open()
    levels = [0, *range(10, 19)]
    assert [text_of(future) for future in futures] == [f'Q brightness {n}' for n in levels]


def test_captions_come_after_looks_no_faster_than_their_period(start: Start) -> None:
    captions: list[Answer] = []
    worker = start(on_caption=captions.append, caption_period_s=0.1)
    begin = time.monotonic()
    while len(captions) < 4:
        worker.show(grey(30, frame_id='optical'))
        time.sleep(0.005)
    assert time.monotonic() - begin >= 3 * 0.1
    assert captions[0].text == 'Describe the scene. brightness 30'
    assert captions[0].frame_id == 'optical'


def test_a_caption_callback_that_fails_does_no_harm(start: Start) -> None:
    called = threading.Event()

    def fail(answer: Answer) -> None:
        called.set()
        raise ValueError('no room for captions')

    worker = start(on_caption=fail)
    worker.show(grey(10))
    assert called.wait(WAIT_S)
    assert text_of(worker.submit(Q)) == 'Q brightness 10'


def test_a_fault_of_the_worker_fails_the_questions_and_is_not_hidden(start: Start) -> None:
    worker = start()
    worker._choose = lambda: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    worker.show(grey(10))
    future = worker.submit(Q)
    assert isinstance(error_of(future), BackendError)
    later = error_of(worker.submit(Q))
    assert isinstance(later, BackendError) and 'division by zero' in str(later)


def test_a_callback_that_wants_to_exit_does_not_leave_a_dead_worker(start: Start) -> None:
    def leave(answer: Answer) -> None:
        raise SystemExit('out')

    worker = start(on_caption=leave)
    worker.show(grey(10))
    until(lambda: worker._closed is not None)
    assert isinstance(error_of(worker.submit(Q)), BackendError)


def test_questions_from_many_threads_all_get_answers_about_real_frames(
    start: Start, tiny_bundle: Any, make_frame: Callable[..., Frame]
) -> None:
    config = EngineConfig(queue_size=64, llm_threads=1, encoder_threads=1, max_tokens=3)
    worker = start(open_engine(tiny_bundle, config))
    worker.show(make_frame(0))
    answers: list[Answer] = []

    def ask(number: int) -> None:
        for _ in range(10):
            worker.show(make_frame(number))
            answers.append(worker.submit(Q).result(WAIT_S))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    assert all(answer.timing.generated_tokens <= 3 for answer in answers)


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


def test_a_frame_that_cannot_be_decoded_fails_its_questions_and_no_others(start: Start) -> None:
    worker = start(look='on_demand')

    def broken() -> Frame:
        raise ImageError('the data are truncated')

    worker.offer('front', broken)
    assert isinstance(error_of(worker.submit(Q, 'front')), ImageError)
    worker.show(grey(5, camera='front'))
    assert text_of(worker.submit(Q, 'front'))
