import threading
import time
from collections.abc import Callable
from typing import Any

from mobilevlm_ros.engine import (
    Answer,
    BusyError,
    Caption,
    EngineConfig,
    Frame,
    NoImageError,
    Question,
    create_fake_engine,
    open_engine,
)
from tests.engine.support import WAIT_S, Gate, Q, Start, error_of, grey, slow, text_of


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


def test_a_deadline_counts_from_when_the_question_came(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    first, second = worker.submit(Q), worker.submit(Question('Q', deadline_s=0.05))
    time.sleep(0.05)
    gate.open()
    assert text_of(first) == 'Q brightness 10'
    assert second.result(WAIT_S).finish_reason == 'deadline'


def test_waiting_is_told_from_working_in_the_timing(start: Start) -> None:
    engine = slow(0.004, active_questions=1)
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


def test_captions_come_after_looks_no_faster_than_their_period(start: Start) -> None:
    captions: list[Caption] = []
    worker = start(
        on_caption=captions.append, look='always', caption_period_s=0.1, caption_change=0.0
    )
    begin = time.monotonic()
    while len(captions) < 4:
        worker.show(grey(30, frame_id='optical'))
        time.sleep(0.005)
    assert time.monotonic() - begin >= 3 * 0.1
    assert captions[0].answer.text == 'Describe the scene. brightness 30'
    assert captions[0].answer.frame_id == 'optical'
    assert [caption.reason.name for caption in captions[:3]] == ['FIRST', 'RATE', 'RATE']


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
