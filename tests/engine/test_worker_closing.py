import threading
from concurrent.futures import Future, wait

import pytest

from mobilevlm_ros.engine import Answer, ClosedError, EngineWorker, create_fake_engine
from tests.engine.support import WAIT_S, Gate, Q, Start, error_of, grey, until


def test_closing_ends_every_question_with_one_error(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine.language.llm.decode_parts = Gate(  # type: ignore[method-assign]
        engine.language.llm.decode_parts
    )
    worker = start(engine)
    worker.show(grey(10))
    calls: list[Future[Answer]] = []
    futures = [worker.submit(Q) for _ in range(8)]
    for future in futures:
        future.add_done_callback(calls.append)
    until(lambda: worker.load().active > 0)
    futures[-1].add_done_callback(lambda _: gate.open())
    worker.close()
    wait(futures, WAIT_S)
    assert all(isinstance(error_of(future), ClosedError) for future in futures)
    assert sorted(map(id, calls)) == sorted(map(id, futures))
    assert isinstance(error_of(worker.submit(Q)), ClosedError)


def test_closing_does_not_wait_for_a_stuck_model_to_fail_the_questions(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine.language.llm.decode_embeddings = Gate(  # type: ignore[method-assign]
        engine.language.llm.decode_embeddings
    )
    worker = start(engine)
    worker.show(grey(10))
    future = worker.submit(Q)
    assert gate.entered.wait(WAIT_S)
    closing = threading.Thread(target=worker.close)
    closing.start()
    assert isinstance(error_of(future), ClosedError)
    gate.open()
    closing.join(WAIT_S)
    assert not closing.is_alive()


def test_closing_ends_the_threads_and_closes_the_engine(start: Start) -> None:
    before = set(threading.enumerate())
    engine = create_fake_engine()
    with EngineWorker(engine) as worker:
        worker.show(grey(10))
        threads = set(threading.enumerate()) - before
        assert {thread.name for thread in threads} == {'vision', 'language'}
    assert not any(thread.is_alive() for thread in threads)
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
