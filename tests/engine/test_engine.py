import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mobilevlm_ros.engine import (
    Answer,
    Chunk,
    Engine,
    EngineConfig,
    Question,
    open_engine,
)
from tests.engine.support import AHEAD, MakeFrame, grey


def test_a_second_frame_replaces_the_first_of_its_camera_only(fake: Engine) -> None:
    fake.look(grey(50, camera='front'))
    fake.look(grey(200, camera='rear'))
    fake.look(grey(90, camera='front'))
    question = Question('Q')
    assert fake.ask(question, 'front').text == 'Q brightness 90'
    assert fake.ask(question, 'rear').text == 'Q brightness 200'
    assert fake.ask(question).camera == 'front'


def test_an_answer_carries_what_identifies_its_frame(fake: Engine) -> None:
    stamp_ns = time.time_ns()
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


def test_cancelling_ends_the_answer_at_the_next_token(fake: Engine) -> None:
    fake.look(grey(1))
    shown: list[object] = []
    parts = fake.stream(Question('Q'), cancelled=lambda: len(shown) >= 2)
    for part in parts:
        shown.append(part)
    assert isinstance(part, Answer)
    assert (part.finish_reason, part.timing.generated_tokens) == ('cancelled', 3)
    (whole,) = fake.stream(Question('Q'), 'front', cancelled=lambda: True)
    assert isinstance(whole, Answer)
    assert (whole.finish_reason, whole.question, whole.camera) == ('cancelled', 'Q', 'front')


def test_a_stream_that_is_dropped_gives_its_sequence_back(fake: Engine) -> None:
    fake.look(grey(1))
    free = fake.language.pool.free
    for _ in range(20):
        stream = fake.stream(AHEAD)
        next(stream)
        assert fake.language.pool.free == free - 1
        stream.close()  # type: ignore[attr-defined]
    assert fake.language.pool.free == free


def test_a_stream_goes_on_about_its_frame_when_a_newer_one_is_held(fake: Engine) -> None:
    fake.look(grey(60))
    stream = fake.stream(Question('Q'))
    next(stream)
    fake.look(grey(70))
    *_, answer = stream
    assert isinstance(answer, Answer)
    assert answer.text == 'Q brightness 60'


def test_timings_add_up(tiny_bundle: Path, make_frame: MakeFrame) -> None:
    now_ns = time.time_ns()
    with open_engine(tiny_bundle, clock=lambda: now_ns) as engine:
        look = engine.look(make_frame(stamp_ns=now_ns - 50_000_000))
        assert look.image_age_ms == 50
        assert look.encode_ms > 0 and look.prefill_ms > 0
        assert look.total_ms == pytest.approx(look.encode_ms + look.prefill_ms)
        timing = engine.ask(AHEAD).timing
        assert timing.encode_ms == 0
        assert timing.prefill_ms <= timing.first_token_ms <= timing.total_ms
        assert timing.first_token_ms + timing.decode_ms <= timing.total_ms
        assert timing.reused_tokens == look.prompt_tokens + look.visual_tokens


def test_fakes_serve_a_real_bundle_where_the_config_says_so(own_bundle: Path) -> None:
    manifest = json.loads((own_bundle / 'bundle.json').read_text())
    manifest['files'], manifest['backends'] = {}, {}
    (own_bundle / 'bundle.json').write_text(json.dumps(manifest))
    config = EngineConfig(encoder='fake', llm='fake')
    with open_engine(own_bundle, config) as engine:
        engine.look(grey(12))
        assert engine.ask(Question('Q')).text == 'Q brightness 12'
