"""Conversations: cheaper than, and equal to, asking all of it afresh."""

from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import (
    Engine,
    EngineConfig,
    NoImageError,
    Question,
    create_fake_engine,
    open_engine,
)
from mobilevlm_ros.engine.steps import Part, run_alone
from tests.engine.support import MakeFrame, grey

FIRST = Question('What is ahead?', max_tokens=6, session='walk')
SECOND = Question('Which way is free?', max_tokens=6, session='walk')


def test_a_turn_follows_those_before_it(fake: Engine) -> None:
    fake.look(grey(7))
    first = fake.ask(Question('A', session='s')).text
    assert fake.ask(Question('B', session='s')).text == (
        f'A ASSISTANT:{first}\nB brightness 7'
    )
    assert fake.ask(Question('B')).text == 'B brightness 7'
    assert fake.ask(Question('B', session='other')).session == 'other'


def test_a_turn_decodes_its_own_tokens_only(fake: Engine) -> None:
    fake.look(grey(7))
    fake.ask(Question('A', session='s'))
    before = fake.language.llm.decoded  # type: ignore[attr-defined]
    answer = fake.ask(Question('B', session='s'))
    decoded = fake.language.llm.decoded - before  # type: ignore[attr-defined]
    end = 1
    assert decoded == end + len('\nB ASSISTANT:') + answer.timing.generated_tokens
    assert answer.timing.reused_tokens > answer.timing.visual_tokens + len('USER: ')


def test_a_conversation_goes_on_about_the_newest_frame(fake: Engine) -> None:
    fake.look(grey(7))
    first = fake.ask(Question('A', session='s')).text
    fake.look(grey(90))
    second = fake.ask(Question('B', session='s'))
    assert second.text == f'A ASSISTANT:{first}\nB brightness 90'
    assert fake.language.load().held_frames == 1


def test_a_conversation_stays_with_an_image_of_its_own(fake: Engine) -> None:
    fake.look(grey(7))
    fake.ask(Question('A', session='s'), frame=grey(200))
    fake.look(grey(90))
    assert fake.ask(Question('B', session='s')).text.endswith('B brightness 200')
    assert fake.ask(Question('C')).text == 'C brightness 90'


@pytest.mark.parametrize('same_frame', [True, False])
def test_a_conversation_has_the_logits_of_a_fresh_one(
    tiny_bundle: Path, make_frame: MakeFrame, same_frame: bool
) -> None:
    config = EngineConfig(llm_threads=1, encoder_threads=1)
    with open_engine(tiny_bundle, config) as engine:
        engine.look(make_frame(1))
        said = engine.ask(FIRST)
        if not same_frame:
            engine.look(make_frame(2))
        engine.ask(SECOND)
        language = engine.language
        session = language.sessions.find('walk')
        held = language.frames.find('')
        assert held is not None and held is session.held
        assert said.timing.generated_tokens == len(session.turns[0].answer)
        history = language.sessions.history(session)
        fresh = language.pool.take(held.sequence)
        (expected,) = run_alone(language.llm, _rows(fresh, [*history, 300]))
        known = language.llm.length(session.sequence) - language.llm.length(held.sequence)
        (found,) = run_alone(language.llm, _rows(session.sequence, [*history[known:], 300]))
        np.testing.assert_allclose(found, expected, atol=3e-2)


def _rows(sequence: int, tokens: list[int]):  # type: ignore[no-untyped-def]
    logits = yield [Part(sequence, tokens)]
    return [rows[-1].copy() for rows in logits]


def test_history_is_trimmed_by_whole_turns_when_the_context_fills(fake: Engine) -> None:
    fake.look(grey(7))
    for number in range(30):
        answer = fake.ask(Question(f'Q{number}', session='s', max_tokens=100))
        assert f'Q{number} brightness 7'.startswith(answer.text[-8:]) or answer.text
    session = fake.language.sessions.find('s')
    assert 1 <= len(session.turns) < 30
    assert session.turns[-1].question == 'Q29'
    llm = fake.language.llm
    assert llm.length(session.sequence) <= llm.context_length


def test_a_question_too_long_for_any_history_is_asked_without_it(fake: Engine) -> None:
    fake.look(grey(7))
    fake.ask(Question('A', session='s'))
    answer = fake.ask(Question('x' * 300, session='s', max_tokens=500))
    assert answer.finish_reason == 'length'
    assert len(fake.language.sessions.find('s').turns) == 1


def test_a_turn_that_fails_leaves_the_conversation_as_it_was(fake: Engine) -> None:
    fake.look(grey(7))
    first = fake.ask(Question('A', session='s')).text
    stream = fake.stream(Question('B', session='s'))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert fake.ask(Question('C', session='s')).text == f'A ASSISTANT:{first}\nC brightness 7'


def test_a_turn_that_a_stop_string_ends_is_remembered_as_it_was_shown(fake: Engine) -> None:
    fake.look(grey(7))
    assert fake.ask(Question('A', session='s', stop=('ness',))).text == 'A bright'
    assert fake.ask(Question('B', session='s')).text == 'A ASSISTANT:A bright\nB brightness 7'


def test_typed_answers_take_part_in_a_conversation(fake: Engine) -> None:
    fake.look(grey(7))
    choices = ('A brightness 7', 'no')
    answer = fake.ask(Question('A', session='s', choices=choices))
    assert (answer.choice, answer.finish_reason) == (0, 'choice')
    text = fake.ask(Question('B', session='s')).text
    assert text == 'A ASSISTANT:A brightness 7\nB brightness 7'


def test_the_conversation_unused_longest_makes_way() -> None:
    with create_fake_engine(EngineConfig(sessions=2)) as engine:
        engine.look(grey(7))
        for name in ('a', 'b', 'a', 'c'):
            engine.ask(Question('A', session=name))
        assert engine.ask(Question('B', session='a')).text.startswith('A ASSISTANT')
        assert engine.ask(Question('B', session='b')).text == 'B brightness 7'
        assert engine.language.load().sessions == 2


def an_hour_later(engine: Engine) -> None:
    sessions = engine.language.sessions
    sessions._now = lambda now=sessions._now: now() + 3600


def test_a_conversation_is_forgotten_when_it_was_idle_too_long() -> None:
    with create_fake_engine(EngineConfig(session_idle_s=60.0)) as engine:
        engine.look(grey(7))
        engine.ask(Question('A', session='s'))
        an_hour_later(engine)
        assert engine.ask(Question('B', session='s')).text == 'B brightness 7'


def test_an_idle_conversation_lets_its_frame_go_whatever_comes_next() -> None:
    with create_fake_engine(EngineConfig(session_idle_s=60.0)) as engine:
        for begin in (lambda: engine.look(grey(9)), lambda: engine.ask(Question('B'))):
            engine.look(grey(7))
            engine.ask(Question('A', session='s'))
            engine.look(grey(8))
            assert engine.language.load().held_frames == 2
            an_hour_later(engine)
            begin()
            assert engine.language.load().held_frames == 1
            assert engine.language.load().sessions == 0


def test_a_sequence_that_was_given_up_is_made_again(fake: Engine) -> None:
    fake.look(grey(7))
    first = fake.ask(Question('A', session='s')).text
    assert fake.language.sessions.give_up_sequence()
    answer = fake.ask(Question('B', session='s'))
    assert answer.text == f'A ASSISTANT:{first}\nB brightness 7'
    assert answer.timing.reused_tokens == len('USER: ') + 1 + 4


def test_a_second_turn_waits_for_the_first(fake: Engine) -> None:
    fake.look(grey(7))
    stream = fake.stream(Question('A', session='s'))
    next(stream)
    assert fake.language.is_busy('s')
    list(stream)
    assert not fake.language.is_busy('s')


def test_a_conversation_goes_on_with_its_camera_after_a_region(fake: Engine) -> None:
    fake.look(grey(7, camera='front'))
    fake.ask(Question('A', session='s', roi=(0, 0, 4, 4)))
    fake.look(grey(90, camera='front'))
    assert fake.ask(Question('B', session='s')).text.endswith('B brightness 90')


def give_up_all(engine: Engine) -> None:
    """As if what is decoded now needed the room."""
    while engine.language.sessions.give_up_sequence():
        pass


def test_a_conversation_knows_its_camera_when_its_frame_was_given_up(fake: Engine) -> None:
    for camera, level in (('rear', 7), ('front', 90)):
        fake.look(grey(level, camera=camera))
    fake.ask(Question('A', session='s'), 'rear')
    give_up_all(fake)
    assert fake.ask(Question('B', session='s')).camera == 'rear'


def test_a_conversation_about_an_image_that_was_given_up_is_refused(fake: Engine) -> None:
    fake.look(grey(7))
    fake.ask(Question('A', session='s'), frame=grey(200))
    give_up_all(fake)
    with pytest.raises(NoImageError, match="'s' is about made way for others; send it again"):
        fake.ask(Question('B', session='s'))
    assert fake.ask(Question('B', session='s'), frame=grey(200)).text.endswith('B brightness 200')
