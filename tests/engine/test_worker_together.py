"""Questions that are answered together, cancelled and streamed."""

import threading
import time

import numpy as np
import pytest

from mobilevlm_ros.engine import (
    CAPTION,
    Answer,
    BusyError,
    Chunk,
    ClosedError,
    EngineConfig,
    EngineWorker,
    Frame,
    Question,
    QuestionError,
    Reply,
    create_fake_engine,
)
from mobilevlm_ros.engine.fake import describe
from tests.engine.support import (
    WAIT_S,
    Clock,
    Gate,
    Q,
    Start,
    error_of,
    grey,
    once,
    slow,
    text_of,
    until,
)

LONG = Question('L' * 150, max_tokens=100)


def test_a_short_answer_does_not_wait_for_a_long_one(start: Start) -> None:
    worker, ended = start(), list[str]()
    worker.show(grey(5))

    def ask_short() -> None:
        worker.submit(Q).add_done_callback(lambda reply: ended.append(reply.result().text))

    long = worker.submit(LONG, on_chunk=once(ask_short))
    long.add_done_callback(lambda reply: ended.append(reply.result().text))
    until(lambda: len(ended) == 2)
    assert ended == ['Q brightness 5', 'L' * 100]


def test_questions_about_one_frame_are_answered_together_about_it(start: Start) -> None:
    worker = start(slow(0.002, active_questions=2, look_rate_hz=0.0))
    worker.show(grey(5))
    text_of(worker.submit(Q))
    replies = worker.submit_all([Question(f'P{n}') for n in range(6)])
    worker.show(grey(90))
    assert [text_of(reply) for reply in replies] == [f'P{n} brightness 5' for n in range(6)]
    until(lambda: worker.load().held_frames == 1)
    assert text_of(worker.submit(Q, newest=True)) == 'Q brightness 90'


def test_a_question_that_fails_among_others_fails_alone(start: Start) -> None:
    worker = start()
    worker.show(grey(5))
    bad, good = worker.submit_all([Question('x' * 5000), Q])
    assert isinstance(error_of(bad), QuestionError)
    assert text_of(good) == 'Q brightness 5'


def test_all_of_a_group_wait_or_none(start: Start) -> None:
    worker = start(queue_size=2)
    worker.show(grey(5))
    replies = worker.submit_all([Q] * 3)
    assert all(isinstance(error_of(reply), BusyError) for reply in replies)


def test_those_that_are_being_answered_and_captions_do_not_fill_the_queue(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(queue_size=1, active_questions=2, drafts=False))
    worker, later = start(engine, on_caption=lambda caption: None), list[Reply]()
    worker.show(grey(5))

    def ask_second() -> None:
        later.append(worker.submit(LONG, on_chunk=once(ask_third_and_fourth)))

    def ask_third_and_fourth() -> None:
        later.extend(worker.submit(Q) for _ in range(2))

    first = worker.submit(LONG, on_chunk=once(ask_second))
    until(lambda: len(later) == 3)
    second, third, fourth = later
    assert isinstance(error_of(fourth), BusyError)
    for reply in (first, second, third):
        assert text_of(reply)


def test_cancelling_an_answer_ends_it_at_the_next_token(start: Start) -> None:
    worker, chunks = start(), list[Chunk]()
    shown, cancelled = threading.Event(), threading.Event()

    def on_chunk(chunk: Chunk) -> None:
        chunks.append(chunk)
        shown.set()
        assert cancelled.wait(WAIT_S)

    worker.show(grey(5))
    reply = worker.submit(LONG, on_chunk=on_chunk)
    assert shown.wait(WAIT_S)
    assert reply.cancel()
    cancelled.set()
    answer = reply.result(WAIT_S)
    assert answer.finish_reason == 'cancelled'
    assert answer.text == ''.join(chunk.text for chunk in chunks)
    assert answer.timing.generated_tokens < 50
    assert not reply.cancel()
    assert worker.load().active == 0 or text_of(worker.submit(Q))


def test_cancelling_a_question_that_waits_ends_it_at_once(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    reply = worker.submit(Q)
    assert reply.cancel() and reply.done()
    gate.open()
    assert text_of(worker.submit(Q)) == 'Q brightness 10'


def test_a_question_that_waits_begins_when_the_one_before_it_is_cancelled(start: Start) -> None:
    worker = start(slow(0.01, active_questions=1, look='on_demand'))
    worker.show(grey(10))
    long = worker.submit(LONG)
    until(lambda: worker.load().active == 1)
    waiting = worker.submit(Q)
    until(lambda: worker.load().waiting == 1)
    long.cancel()
    assert text_of(waiting) == 'Q brightness 10'


def test_a_deadline_ends_a_question_that_waits_for_a_frame(start: Start) -> None:
    engine = create_fake_engine()
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker = start(engine)
    worker.show(grey(10))
    answer = worker.submit(Question('Q', deadline_s=0.05)).result(WAIT_S)
    assert answer.finish_reason == 'deadline'
    gate.open()


def test_a_deadline_ends_an_answer_with_what_it_has(start: Start, clock: Clock) -> None:
    worker = start()
    worker.show(grey(10))
    question = Question('L' * 150, max_tokens=100, deadline_s=WAIT_S)
    pass_deadline = once(lambda: setattr(clock, 'ahead_s', WAIT_S))
    answer = worker.submit(question, on_chunk=pass_deadline).result(WAIT_S)
    assert (answer.finish_reason, answer.text[:1]) == ('deadline', 'L')


def test_pieces_joined_are_the_answer_and_come_before_it(start: Start) -> None:
    worker, seen = start(), list[Chunk | Answer]()
    worker.show(grey(10))
    reply = worker.submit(Q, on_chunk=seen.append)
    reply.add_done_callback(lambda done: seen.append(done.result()))
    until(lambda: bool(seen) and isinstance(seen[-1], Answer))
    *chunks, answer = seen
    assert isinstance(answer, Answer)
    assert ''.join(chunk.text for chunk in chunks) == answer.text == 'Q brightness 10'
    assert all(isinstance(chunk, Chunk) for chunk in chunks)


def test_what_a_piece_is_given_to_may_fail_or_close_the_worker(start: Start) -> None:
    worker = start()
    worker.show(grey(10))
    assert text_of(worker.submit(Q, on_chunk=lambda chunk: 1 / 0)) == 'Q brightness 10'
    others = [worker.submit(Q) for _ in range(3)]
    error = error_of(worker.submit(LONG, on_chunk=lambda chunk: worker.close()))
    assert isinstance(error, ClosedError)
    assert all(reply.done() for reply in others)


def test_typed_answers_have_probabilities(start: Start) -> None:
    worker = start()
    worker.show(grey(10))
    choices = ('no', 'Q brightness 10', 'yes')
    answer = worker.submit(Question('Q', choices=choices)).result(WAIT_S)
    assert (answer.text, answer.choice, answer.abstained) == (choices[1], 1, False)
    assert answer.finish_reason == 'choice'
    assert sum(answer.probabilities) == pytest.approx(1)
    unsure = worker.submit(
        Question('Q', choices=('aa', 'bb'), min_probability=0.9)
    ).result(WAIT_S)
    assert (unsure.text, unsure.choice, unsure.abstained) == ('', -1, True)


def test_a_caption_yields_to_questions(start: Start) -> None:
    told: list[str] = []
    asked: list[Reply] = []

    def reply(question: str, visual: np.ndarray) -> str:
        """Called for each token: asks at the first one of the caption."""
        if not asked:
            asked.extend(worker.submit(Q) for _ in range(3))
            for one in asked:
                one.add_done_callback(lambda done: told.append(done.result().text))
        return describe(question, visual)

    engine = create_fake_engine(EngineConfig(caption_period_s=0.0, drafts=False), reply)
    worker = start(engine, on_caption=lambda caption: told.append(caption.answer.text))
    worker.show(grey(10))
    until(lambda: len(told) >= 4)
    assert told[:4] == ['Q brightness 10'] * 3 + ['Describe the scene. brightness 10']


def test_urgent_questions_begin_first(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(active_questions=1))
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    worker, order = start(engine), list[str]()
    worker.show(grey(10))
    for name, priority in (('caption', CAPTION), ('probe', 2), ('first', 1), ('second', 0)):
        reply = worker.submit(Question(name, priority=priority))
        reply.add_done_callback(lambda done: order.append(done.result().question))
    gate.open()
    until(lambda: len(order) == 4)
    assert order == ['first', 'second', 'probe', 'caption']


def test_frames_that_do_not_differ_are_looked_at_only_when_asked_for(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_change', look_rate_hz=0.0))
    asked: list[int] = []

    def looks(frame: Frame, wanted: bool) -> bool:
        asked.append(int(frame.pixels[0, 0, 0]))
        return wanted or asked[-1] >= 100

    worker = EngineWorker(engine, gate=looks)
    try:
        worker.show(grey(100))
        assert text_of(worker.submit(Q)) == 'Q brightness 100'
        worker.show(grey(50))
        until(lambda: 50 in asked)
        time.sleep(0.02)
        assert text_of(worker.submit(Q)) == 'Q brightness 100'
        assert asked.count(50) == 1
        assert text_of(worker.submit(Q, newest=True)) == 'Q brightness 50'
    finally:
        worker.close()
