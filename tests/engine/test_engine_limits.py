from dataclasses import replace
from pathlib import Path

import pytest

from mobilevlm_ros.engine import (
    Answer,
    BusyError,
    ConfigError,
    Engine,
    EngineConfig,
    NoImageError,
    Question,
    StaleImageError,
    TooLongError,
    create_fake_engine,
    open_engine,
)
from tests.engine.support import AHEAD, Clock, MakeFrame, grey


def test_an_answer_ends_where_the_context_does(tiny_bundle: Path, make_frame: MakeFrame) -> None:
    config = EngineConfig(context_length=60, max_tokens=500, llm_threads=1)
    with open_engine(tiny_bundle, config) as engine:
        engine.look(make_frame())
        answer = engine.ask(Question('What is ahead?'))
    timing = answer.timing
    assert answer.finish_reason == 'length'
    assert timing.prompt_tokens + timing.visual_tokens + timing.generated_tokens == 61


@pytest.mark.parametrize('length', [300, 10_000_000])
def test_a_question_longer_than_the_context_is_refused_with_the_room_there_is(
    engine: Engine, make_frame: MakeFrame, length: int
) -> None:
    engine.look(make_frame())
    with pytest.raises(TooLongError, match=r'there is room for \d+ tokens: shorten'):
        engine.ask(Question('x' * length))
    engine.ask(AHEAD)


def test_the_longest_question_that_fits_is_answered_with_one_token(fake: Engine) -> None:
    fake.look(grey(5))
    room = fake.language.llm.context_length - len('USER: ') - 1 - 4 - len('\n ASSISTANT:') - 1
    assert fake.ask(Question('x' * room)).timing.generated_tokens == 2
    with pytest.raises(TooLongError):
        fake.ask(Question('x' * (room + 1)))


def test_a_question_before_any_frame_is_refused(fake: Engine) -> None:
    with pytest.raises(NoImageError, match='no image from any camera yet'):
        fake.ask(AHEAD)
    fake.look(grey(1, camera='front'))
    with pytest.raises(NoImageError, match="no image from camera 'rear' yet"):
        fake.ask(AHEAD, 'rear')


def test_a_frame_older_than_allowed_is_refused() -> None:
    now_ns = 10_000_000_000
    config = EngineConfig(max_age_s=2.0)
    with create_fake_engine(config, clock=lambda: now_ns) as engine:
        engine.look(grey(1, stamp_ns=7_500_000_000))
        with pytest.raises(StaleImageError, match=r'2\.50 s old and max_age is 2 s'):
            engine.ask(AHEAD)
        assert engine.ask(replace(AHEAD, max_age_s=3)).timing.image_age_ms == 2500
        engine.look(grey(1))  # a stamp that is not known
        engine.ask(AHEAD)


def test_a_deadline_that_has_passed_ends_the_answer_with_what_there_is(
    fake: Engine, clock: Clock
) -> None:
    fake.look(grey(1))
    answer = fake.ask(replace(AHEAD, deadline_s=1e-9))
    assert (answer.finish_reason, answer.text, answer.question) == ('deadline', '', AHEAD.text)
    stream = fake.stream(Question('Q', deadline_s=60.0))
    next(stream)
    clock.ahead_s = 60.0
    *_, answer = stream
    assert isinstance(answer, Answer)
    assert (answer.finish_reason, answer.timing.generated_tokens) == ('deadline', 1)


def test_too_many_open_streams_are_refused() -> None:
    with create_fake_engine(EngineConfig(active_questions=2)) as engine:
        engine.look(grey(1))
        streams = [engine.stream(AHEAD) for _ in range(3)]
        for stream in streams[:2]:
            next(stream)
        with pytest.raises(BusyError):
            next(streams[2])


def test_of_more_cameras_than_there_is_room_for_the_one_asked_about_last_stays() -> None:
    with create_fake_engine(EngineConfig(held_frames=2)) as engine:
        for level, camera in enumerate(('front', 'rear')):
            engine.look(grey(level, camera=camera))
        engine.ask(AHEAD, 'front')
        engine.look(grey(2, camera='left'))
        assert engine.ask(AHEAD, 'front').camera == 'front'
        with pytest.raises(NoImageError):
            engine.ask(AHEAD, 'rear')
        assert engine.language.load().held_frames == 2


def test_a_context_beyond_what_the_model_was_made_for_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ConfigError, match='context_length is 4096; tiny was made for 256'):
        open_engine(tiny_bundle, EngineConfig(context_length=4096))


def test_a_context_too_short_for_the_image_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ConfigError, match='context_length is 44; prompt head and image take 43'):
        open_engine(tiny_bundle, EngineConfig(context_length=44))


@pytest.mark.parametrize(
    ('setting', 'asked', 'expected'), [(0, 0, 64), (7, 0, 7), (0, 5, 5), (7, 5, 5)]
)
def test_an_answer_is_as_long_as_question_setting_or_bundle_says(
    setting: int, asked: int, expected: int
) -> None:
    config = EngineConfig(max_tokens=setting)
    with create_fake_engine(config, reply=lambda question, visual: 'long ' * 100) as engine:
        engine.look(grey(7))
        answer = engine.ask(Question('What?', max_tokens=asked))
    assert (answer.timing.generated_tokens, answer.finish_reason) == (expected, 'length')
