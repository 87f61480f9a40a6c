import threading
import traceback

import numpy as np

from mobilevlm_ros.engine import (
    BackendError,
    Caption,
    EngineConfig,
    Frame,
    ImageError,
    NoImageError,
    Question,
    create_fake_engine,
)
from tests.engine.support import WAIT_S, Q, Start, error_of, grey, text_of, until


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
    engine = create_fake_engine(EngineConfig(look='always', look_rate_hz=0.0))
    worker = start(engine)
    worker.show(grey(10))
    until(lambda: worker._board.slots[''].held == 1)
    engine.language.llm.decode_embeddings = lambda *_: 1 / 0  # type: ignore
    worker.show(grey(20))
    until(lambda: worker._board.slots[''].failed == 2)
    error = error_of(worker.submit(Q))
    assert isinstance(error, BackendError) and 'division by zero' in str(error)


def test_a_frame_that_cannot_be_decoded_fails_its_questions_and_no_others(start: Start) -> None:
    worker = start(look='on_demand')

    def broken() -> Frame:
        raise ImageError('the data are truncated')

    worker.offer('front', broken)
    assert isinstance(error_of(worker.submit(Q, 'front')), ImageError)
    worker.show(grey(5, camera='front'))
    assert text_of(worker.submit(Q, 'front'))


def test_a_language_model_that_fails_spoils_that_question_only(start: Start) -> None:
    engine = create_fake_engine()
    tokenise = engine.language.llm.tokenise

    def fail_on_boom(text: str) -> list[int]:
        if 'boom' in text:
            raise MemoryError('boom')
        return tokenise(text)

    engine.language.llm.tokenise = fail_on_boom  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    futures = [worker.submit(Question(text)) for text in ('Q', 'boom', 'Q')]
    assert text_of(futures[0]) == text_of(futures[2]) == 'Q brightness 10'
    assert isinstance(error_of(futures[1]), BackendError)


def test_a_caption_callback_that_fails_does_no_harm(start: Start) -> None:
    called = threading.Event()

    def fail(caption: Caption) -> None:
        called.set()
        raise ValueError('no room for captions')

    worker = start(on_caption=fail)
    worker.show(grey(10))
    assert called.wait(WAIT_S)
    assert text_of(worker.submit(Q)) == 'Q brightness 10'


def test_a_fault_of_the_worker_fails_the_questions_and_is_not_hidden(start: Start) -> None:
    worker = start()
    worker._talker.turn = lambda: 1 / 0  # type: ignore
    worker.show(grey(10))
    future = worker.submit(Q)
    assert isinstance(error_of(future), BackendError)
    later = error_of(worker.submit(Q))
    assert isinstance(later, BackendError) and 'division by zero' in str(later)


def test_a_callback_that_wants_to_exit_does_not_leave_a_dead_worker(start: Start) -> None:
    def leave(caption: Caption) -> None:
        raise SystemExit('out')

    worker = start(on_caption=leave)
    worker.show(grey(10))
    until(lambda: worker._closed is not None)
    assert isinstance(error_of(worker.submit(Q)), BackendError)
