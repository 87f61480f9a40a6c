from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np

from mobilevlm_ros.engine import Engine, EngineConfig, Question, open_engine
from mobilevlm_ros.engine.steps import Part
from tests.engine.support import AHEAD, MakeFrame


class Recorder:
    """Notes what passes through a language model."""

    def __init__(self, llm: Any) -> None:
        self.tokens: list[int] = []  # decoded in each call
        self.embeddings: list[int] = []
        self.logits: list[np.ndarray] = []
        self._decode_parts, llm.decode_parts = llm.decode_parts, self.decode_parts
        self._decode_embeddings, llm.decode_embeddings = llm.decode_embeddings, self.decode_embeds

    def decode_parts(self, parts: list[Part]) -> list[np.ndarray]:
        self.tokens += [len(part.tokens) for part in parts]
        logits = self._decode_parts(parts)
        self.logits += [rows[-1].copy() for rows in logits]
        return list(logits)

    def decode_embeds(self, sequence: int, embeddings: np.ndarray) -> None:
        self.embeddings.append(len(embeddings))
        self._decode_embeddings(sequence, embeddings)


def record(engine: Engine) -> Recorder:
    return Recorder(engine.language.llm)


def test_a_question_on_a_held_frame_decodes_its_own_tokens_only(
    engine: Engine, make_frame: MakeFrame
) -> None:
    recorder = record(engine)
    look = engine.look(make_frame())
    assert recorder.embeddings == [look.visual_tokens] == [16]
    assert recorder.tokens == []

    answer = engine.ask(AHEAD)
    own = len(engine.language.llm.tokenise('\nWhat is ahead? ASSISTANT:'))
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
    context = engine.language.llm._context
    engine.look(make_frame())
    engine.ask(AHEAD)
    before = llama_cpp.llama_state_get_size(context)
    for number in range(300):  # far more tokens than the cache has cells
        engine.ask(Question(f'How many barrels are there? {number % 7}', max_tokens=4))
        if number % 10 == 0:
            engine.look(make_frame(number))
    engine.ask(AHEAD)
    assert llama_cpp.llama_state_get_size(context) == before
    assert engine.language.pool.free == engine.language.llm.sequences - 2
