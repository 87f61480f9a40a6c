"""Questions about regions, images of their own, stamps and conversations."""

import pytest

from mobilevlm_ros.engine import (
    BackendError,
    Frame,
    NoImageError,
    Question,
    QuestionError,
    create_fake_engine,
)
from tests.engine.support import WAIT_S, Q, Start, error_of, grey, halves, slow, text_of, until


def test_a_region_is_asked_about_alone(start: Start) -> None:
    worker = start()
    worker.show(halves(10, 200))
    right = Question('Q', roi=(4, 0, 4, 4))
    answer = worker.submit(right).result(WAIT_S)
    assert answer.text == 'Q brightness 200'
    assert answer.timing.encode_ms > 0
    assert text_of(worker.submit(Q)) == 'Q brightness 105'
    until(lambda: worker.load().held_frames == 1)


def test_a_region_outside_the_image_is_refused(start: Start) -> None:
    worker = start()
    worker.show(grey(10))
    error = error_of(worker.submit(Question('Q', roi=(4, 0, 5, 8))))
    assert isinstance(error, QuestionError) and 'does not lie in the image' in str(error)
    with pytest.raises(QuestionError, match='width and height 1 or more'):
        Question('Q', roi=(0, 0, 0, 3))


def test_an_image_may_come_with_the_question_before_any_camera(start: Start) -> None:
    worker = start()
    assert text_of(worker.submit(Q, frame=grey(33))) == 'Q brightness 33'
    assert isinstance(error_of(worker.submit(Q)), NoImageError)
    until(lambda: worker.load().held_frames == 0)


def test_an_image_of_a_conversation_stays_with_it(start: Start) -> None:
    worker = start()
    worker.show(grey(10))
    ask = Question('Q', session='s', max_tokens=200)
    assert text_of(worker.submit(ask, frame=halves(10, 200))) == 'Q brightness 105'
    assert text_of(worker.submit(ask)).endswith('Q brightness 105')
    assert text_of(worker.submit(ask, '', frame=grey(7))).endswith('Q brightness 7')
    assert text_of(worker.submit(Q)) == 'Q brightness 10'


def test_an_image_that_cannot_be_encoded_fails_its_question_alone(start: Start) -> None:
    engine = create_fake_engine()
    encode = engine.encode

    def fail_on_dark(frame: Frame) -> object:
        return encode(frame) if frame.pixels.max() else 1 / 0

    engine.encode = fail_on_dark  # type: ignore
    worker = start(engine)
    worker.show(grey(10))
    bad, good = worker.submit(Q, frame=grey(0)), worker.submit(Q)
    assert isinstance(error_of(bad), BackendError)
    assert text_of(good) == 'Q brightness 10'


def test_a_frame_is_found_by_its_stamp_while_a_conversation_is_about_it(start: Start) -> None:
    worker = start()
    worker.show(grey(10, stamp_ns=5))
    ask = Question('Q', session='s', max_tokens=200)
    text_of(worker.submit(ask))
    worker.show(grey(90, stamp_ns=6))
    text_of(worker.submit(Q, newest=True))
    assert text_of(worker.submit(ask, stamp_ns=5)).endswith('Q brightness 10')
    assert isinstance(error_of(worker.submit(Q, stamp_ns=4)), NoImageError)
    assert text_of(worker.submit(ask)).endswith('Q brightness 90')


def test_turns_of_a_conversation_are_answered_in_their_order(start: Start) -> None:
    worker = start(slow(0.001))
    worker.show(grey(10))
    replies = [worker.submit(Question(f'T{n}', session='s', max_tokens=200)) for n in range(3)]
    texts = [text_of(reply) for reply in replies]
    assert texts[2] == f'T0 ASSISTANT:{texts[0]}\nT1 ASSISTANT:{texts[1]}\nT2 brightness 10'


def test_images_of_questions_that_wait_do_not_fill_the_cache(start: Start) -> None:
    engine = slow(0.2, active_questions=1)
    worker = start(engine)
    worker.show(grey(5))
    long = worker.submit(Question('L' * 150, max_tokens=100))
    replies = [worker.submit(Q, frame=grey(7)) for _ in range(6)]
    until(lambda: worker.load().held_frames == 2)
    engine.language.llm._delay_s = 0.01  # type: ignore[attr-defined]
    most = 0
    while not long.done():
        most = max(most, worker.load().held_frames)
    assert most <= 3  # the newest frame, and perhaps one that is being asked about already
    assert {text_of(reply) for reply in replies} == {'Q brightness 7'}
