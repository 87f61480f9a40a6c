import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest

from mobilevlm_ros.engine import (
    Answer,
    BundleError,
    BusyError,
    CancelledError,
    Chunk,
    ClosedError,
    ConfigError,
    DeadlineError,
    Engine,
    EngineConfig,
    FakeEncoder,
    FakeLanguageModel,
    Frame,
    NoImageError,
    Question,
    StaleImageError,
    TooLongError,
    create_fake_engine,
    fake_bundle,
    open_engine,
)
from mobilevlm_ros.engine.errors import BackendError

MakeFrame = Callable[..., Frame]
AHEAD = Question('What is ahead?', max_tokens=8)


class Recorder:
    """A language model that notes what passes through it."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self.tokens: list[int] = []  # decoded in each call
        self.embeddings: list[int] = []
        self.logits: list[np.ndarray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def decode(self, sequence: int, tokens: list[int]) -> np.ndarray:
        self.tokens.append(len(tokens))
        self.logits.append(self._llm.decode(sequence, tokens))
        return self.logits[-1]

    def decode_embeddings(self, sequence: int, embeddings: np.ndarray) -> None:
        self.embeddings.append(len(embeddings))
        self._llm.decode_embeddings(sequence, embeddings)


def record(engine: Engine) -> Recorder:
    """Put a recorder between an engine and its language model."""
    recorder = Recorder(engine._llm)
    engine._llm = engine._sequences._llm = recorder  # type: ignore[assignment]
    return recorder


@pytest.fixture
def fake() -> Iterator[Engine]:
    with create_fake_engine() as engine:
        yield engine


def grey(level: int, **fields: Any) -> Frame:
    return Frame(np.full((8, 8, 3), level, np.uint8), **fields)


def test_a_question_on_a_held_frame_decodes_its_own_tokens_only(
    engine: Engine, make_frame: MakeFrame
) -> None:
    recorder = record(engine)
    look = engine.look(make_frame())
    assert recorder.embeddings == [look.visual_tokens] == [16]
    assert recorder.tokens == []

    answer = engine.ask(AHEAD)
    own = len(engine._llm.tokenise('\nWhat is ahead? ASSISTANT:'))
    assert recorder.embeddings == [16]
    assert recorder.tokens == [own, *[1] * (answer.timing.generated_tokens - 1)]
    assert answer.timing.prompt_tokens + 16 - answer.timing.reused_tokens == own


def held_and_fresh_logits(
    engine: Engine, bundle: Path, make_frame: MakeFrame, cameras: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Of one question: after other frames and questions, and in an engine that saw no others."""
    for camera in cameras:
        engine.look(make_frame(1, camera=camera))
    for text in ('How many barrels are there?', 'Is the path clear?'):
        engine.ask(Question(text))
    engine.look(make_frame(2, camera='front'))
    held = record(engine)
    engine.ask(AHEAD, 'front')

    config = EngineConfig(llm_threads=1, encoder_threads=1)
    with open_engine(bundle, config) as other:
        fresh = record(other)
        other.look(make_frame(2))
        other.ask(AHEAD)
    return np.stack(held.logits), np.stack(fresh.logits)


def test_the_logits_on_a_held_frame_equal_those_of_a_fresh_run_bit_for_bit(
    engine: Engine, tiny_bundle: Path, make_frame: MakeFrame
) -> None:
    held, fresh = held_and_fresh_logits(engine, tiny_bundle, make_frame, ['front'])
    assert held.shape == (8, 420)
    np.testing.assert_array_equal(held, fresh)


def test_with_several_cameras_the_logits_differ_by_rounding_at_most(
    engine: Engine, tiny_bundle: Path, make_frame: MakeFrame
) -> None:
    cameras = ['rear', 'front', 'left']
    held, fresh = held_and_fresh_logits(engine, tiny_bundle, make_frame, cameras)
    np.testing.assert_allclose(held, fresh, atol=0.03, rtol=0)


def test_the_cache_is_back_to_its_size_after_many_questions(
    engine: Engine, make_frame: MakeFrame
) -> None:
    context = engine._llm._context
    engine.look(make_frame())
    engine.ask(AHEAD)
    before = llama_cpp.llama_state_get_size(context)
    for number in range(300):  # far more tokens than the cache has cells
        engine.ask(Question(f'How many barrels are there? {number % 7}', max_tokens=4))
        if number % 10 == 0:
            engine.look(make_frame(number))
    engine.ask(AHEAD)
    assert llama_cpp.llama_state_get_size(context) == before
    assert engine._sequences.free == engine._llm.sequences - 2


def test_a_second_frame_replaces_the_first_of_its_camera_only(fake: Engine) -> None:
    fake.look(grey(50, camera='front'))
    fake.look(grey(200, camera='rear'))
    fake.look(grey(90, camera='front'))
    question = Question('Q')
    assert fake.ask(question, 'front').text == 'Q brightness 90'
    assert fake.ask(question, 'rear').text == 'Q brightness 200'
    assert fake.ask(question).camera == 'front'


def test_an_answer_carries_what_identifies_its_frame(fake: Engine) -> None:
    stamp_ns = fake._clock()
    fake.look(grey(10, stamp_ns=stamp_ns, camera='front', frame_id='optical'))
    answer = fake.ask(Question('Q'))
    assert (answer.stamp_ns, answer.camera, answer.frame_id) == (stamp_ns, 'front', 'optical')
    assert (answer.question, answer.model, answer.backend) == ('Q', 'fake', 'fake, fake')


def test_chunks_joined_are_the_answer(engine: Engine, make_frame: MakeFrame) -> None:
    engine.look(make_frame())
    *chunks, answer = engine.stream(Question('What is ahead?', max_tokens=40))
    assert isinstance(answer, Answer)
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    assert ''.join(chunk.text for chunk in chunks) == answer.text
    assert answer.timing.generated_tokens == 40
    assert answer.finish_reason == 'length'


def test_greedy_answers_repeat_and_sampled_ones_follow_their_seed(
    engine: Engine, make_frame: MakeFrame
) -> None:
    engine.look(make_frame())
    assert engine.ask(AHEAD).text == engine.ask(AHEAD).text
    hot = [engine.ask(replace(AHEAD, temperature=1.5, seed=seed)).text for seed in (1, 1, 2)]
    assert hot[0] == hot[1] != hot[2]


def test_a_stop_string_ends_the_answer_and_is_not_in_it(fake: Engine) -> None:
    fake.look(grey(77))
    answer = fake.ask(Question('Q', stop=('ness 7',)))
    assert (answer.text, answer.finish_reason) == ('Q bright', 'stop')


def test_the_end_token_ends_the_answer_and_is_not_counted(fake: Engine) -> None:
    fake.look(grey(77))
    answer = fake.ask(Question('Q'))
    assert answer.finish_reason == 'stop'
    assert answer.timing.generated_tokens == len('Q brightness 77')


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
    room = fake._llm.context_length - len('USER: ') - 1 - 4 - len('\n ASSISTANT:') - 1
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


def test_a_deadline_that_has_passed_is_an_error_before_and_a_reason_after_the_first_token(
    fake: Engine,
) -> None:
    fake.look(grey(1))
    with pytest.raises(DeadlineError, match='allow more time'):
        fake.ask(replace(AHEAD, deadline_s=1e-9))
    stream = fake.stream(Question('Q', deadline_s=1.0))
    next(stream)
    time.sleep(1.0)
    *_, answer = stream
    assert isinstance(answer, Answer)
    assert (answer.finish_reason, answer.timing.generated_tokens) == ('deadline', 1)


def test_cancelling_ends_the_answer_at_the_next_token(fake: Engine) -> None:
    fake.look(grey(1))
    shown: list[object] = []
    parts = fake.stream(Question('Q'), cancelled=lambda: len(shown) >= 2)
    for part in parts:
        shown.append(part)
    assert isinstance(part, Answer)
    assert (part.finish_reason, part.timing.generated_tokens) == ('cancelled', 3)
    with pytest.raises(CancelledError):
        next(fake.stream(Question('Q'), cancelled=lambda: True))


def test_a_stream_that_is_dropped_gives_its_sequence_back(fake: Engine) -> None:
    fake.look(grey(1))
    free = fake._sequences.free
    for _ in range(20):
        stream = fake.stream(AHEAD)
        next(stream)
        assert fake._sequences.free == free - 1
        stream.close()  # type: ignore[attr-defined]
    assert fake._sequences.free == free


def test_too_many_open_streams_are_refused(fake: Engine) -> None:
    fake.look(grey(1))
    streams = [fake.stream(AHEAD) for _ in range(fake._sequences.free + 1)]
    with pytest.raises(BusyError):
        for stream in streams:
            next(stream)


def test_a_stream_goes_on_about_its_frame_when_a_newer_one_is_held(fake: Engine) -> None:
    fake.look(grey(60))
    stream = fake.stream(Question('Q'))
    next(stream)
    fake.look(grey(70))
    *_, answer = stream
    assert isinstance(answer, Answer)
    assert answer.text == 'Q brightness 60'


def test_one_camera_more_than_there_is_room_for_is_refused() -> None:
    with create_fake_engine(EngineConfig(held_frames=1)) as engine:
        engine.look(grey(1, camera='front'))
        with pytest.raises(
            ConfigError, match=r"camera 'rear' beside .*'front'; raise held_frames"
        ):
            engine.look(grey(1, camera='rear'))
        engine.look(grey(2, camera='front'))


def test_timings_add_up(engine: Engine, make_frame: MakeFrame) -> None:
    look = engine.look(make_frame(stamp_ns=engine._clock() - 50_000_000))
    assert 50 <= look.image_age_ms < 5000
    assert look.encode_ms > 0 and look.prefill_ms > 0
    assert look.total_ms == pytest.approx(look.encode_ms + look.prefill_ms)
    timing = engine.ask(AHEAD).timing
    assert timing.encode_ms == 0
    assert timing.prefill_ms <= timing.first_token_ms <= timing.total_ms
    assert timing.first_token_ms + timing.decode_ms <= timing.total_ms
    assert timing.reused_tokens == look.prompt_tokens + look.visual_tokens


def test_a_model_whose_parts_do_not_belong_together_is_refused(own_bundle: Path) -> None:
    bundle = fake_bundle()
    with pytest.raises(BundleError, match='of width 16, the vision encoder makes 8'):
        Engine(bundle, FakeEncoder(bundle.vision), FakeLanguageModel(width=16))


def test_an_encoder_gone_mad_is_an_error_and_not_an_answer(fake: Engine) -> None:
    fake._encoder.encode = lambda pixels: np.full((1, 4, 8), np.nan, np.float32)  # type: ignore
    with pytest.raises(BackendError, match='not finite'):
        fake.look(grey(1))


@pytest.mark.parametrize('temperature', [0.0, 1.0])
def test_a_language_model_gone_mad_is_an_error_and_not_an_answer(
    fake: Engine, temperature: float
) -> None:
    fake.look(grey(1))
    fake._llm.decode = lambda *_: np.full(258, np.nan, np.float32)  # type: ignore
    with pytest.raises(BackendError, match='not finite; convert the model again'):
        fake.ask(replace(AHEAD, temperature=temperature))
    assert fake._sequences.free == fake._llm.sequences - 2


def test_a_context_beyond_what_the_model_was_made_for_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ConfigError, match='context_length is 4096; tiny was made for 256'):
        open_engine(tiny_bundle, EngineConfig(context_length=4096))


def test_a_context_too_short_for_the_image_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ConfigError, match='context_length is 44; prompt head and image take 43'):
        open_engine(tiny_bundle, EngineConfig(context_length=44))


def test_a_closed_engine_says_so(fake: Engine) -> None:
    fake.look(grey(1))
    fake.close()
    fake.close()
    for call in (lambda: fake.look(grey(1)), lambda: fake.ask(AHEAD)):
        with pytest.raises(ClosedError, match='the engine is closed'):
            call()


@pytest.mark.parametrize('end', [next, lambda stream: stream.close()])
def test_a_stream_that_outlives_its_engine_does_no_harm(
    engine: Engine, make_frame: MakeFrame, end: Callable[[Any], object]
) -> None:
    engine.look(make_frame())
    stream = engine.stream(replace(AHEAD, max_tokens=40))
    next(stream)
    engine.close()
    with suppress(ClosedError):
        end(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_fakes_serve_a_real_bundle_where_the_config_says_so(own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / 'bundle.json').read_text())
    manifest['files'], manifest['backends'] = {}, {}
    (own_bundle / 'bundle.json').write_text(json.dumps(manifest))
    config = EngineConfig(encoder='fake', llm='fake')
    with open_engine(own_bundle, config) as engine:
        engine.look(grey(12))
        assert engine.ask(Question('Q')).text == 'Q brightness 12'
