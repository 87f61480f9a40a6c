"""Typed questions through the engine and its worker."""

import pytest

from mobilevlm_ros.engine import (
    Engine,
    EngineConfig,
    Question,
    QuestionError,
    TooLongError,
    create_fake_engine,
)
from tests.engine.support import MakeFrame, Start, grey

BRIGHT = Question('Q', choices=('Q brightness 7', 'Q brightness 77', ' Q bright'))
MANY = tuple(f'{number} is the answer' for number in range(64))


def test_the_choice_that_would_be_generated_is_the_answer(fake: Engine) -> None:
    fake.look(grey(77))
    answer = fake.ask(BRIGHT)
    assert (answer.choice, answer.text) == (1, 'Q brightness 77')
    assert (answer.finish_reason, answer.abstained) == ('choice', False)
    assert answer.choices == BRIGHT.choices
    assert sum(answer.probabilities) == pytest.approx(1) and answer.probabilities[1] > 0.99
    assert answer.timing.generated_tokens == 0


def test_an_answer_that_abstains_has_no_text(fake: Engine) -> None:
    fake.look(grey(77))
    answer = fake.ask(Question('Q', choices=('x', 'y'), min_probability=0.9))
    assert (answer.choice, answer.text, answer.abstained) == (-1, '', True)
    assert answer.probabilities == pytest.approx((0.5, 0.5))


def test_choices_that_cannot_be_asked_are_refused(fake: Engine) -> None:
    fake.look(grey(77))
    with pytest.raises(QuestionError, match='2 to 64 choices; found 1'):
        fake.ask(Question('Q', choices=('yes',)))
    with pytest.raises(QuestionError, match='there twice'):
        fake.ask(Question('Q', choices=('yes', 'yes ')))


def test_a_choice_that_does_not_fit_is_too_long() -> None:
    with create_fake_engine() as engine:
        engine.look(grey(77))
        engine.language.llm.context_length = 60
        with pytest.raises(TooLongError):
            engine.ask(Question('Q', choices=('x', 'y' * 100)))
        assert engine.ask(Question('Q', choices=('x', 'y'))).probabilities


def test_typed_questions_leave_the_cache_as_it_was(engine: Engine, make_frame: MakeFrame) -> None:
    engine.look(make_frame())
    before = engine.language.load()
    first = engine.ask(Question('What is ahead?', choices=MANY))
    again = engine.ask(Question('What is ahead?', choices=MANY))
    assert first.probabilities == pytest.approx(again.probabilities, rel=1e-3)
    assert engine.language.load() == before


def test_many_typed_questions_at_once_are_all_answered(start: Start) -> None:
    worker = start(create_fake_engine(EngineConfig(queue_size=40)))
    worker.show(grey(77))
    asked = [BRIGHT, Question('Q', choices=MANY), Question('Q')] * 10
    futures = [worker.submit(question) for question in asked]
    answers = [future.result(30) for future in futures]
    assert {answer.text for answer in answers[::3]} == {'Q brightness 77'}
    assert {len(answer.probabilities) for answer in answers[1::3]} == {64}
    assert {answer.text for answer in answers[2::3]} == {'Q brightness 77'}
