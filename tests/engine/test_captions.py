"""One caption after another."""

import numpy as np
import pytest

from mobilevlm_ros.engine import FakeLanguageModel
from mobilevlm_ros.engine.captions import Captioner, Said
from mobilevlm_ros.engine.change import GateSettings
from mobilevlm_ros.engine.draft import DraftPlan
from mobilevlm_ros.engine.generation import Limits
from mobilevlm_ros.engine.steps import run_alone

PLAN = DraftPlan((1.0, 1.1, 1.2, 1.3))
QUESTION = list(b'\nWhat? ASSISTANT:')


def say(captioner: Captioner, text: str, limits: Limits, context_length: int = 512) -> Said:
    llm = FakeLanguageModel(reply=lambda *_: text, context_length=context_length)
    llm.decode_embeddings(1, np.ones((4, llm.width), np.float32))
    return run_alone(llm, captioner.say(llm, 1, QUESTION, limits))


@pytest.fixture
def captioner() -> Captioner:
    return Captioner(GateSettings(), PLAN)


def test_the_last_caption_is_the_draft_of_the_next(captioner: Captioner) -> None:
    first = say(captioner, 'a red box ahead', Limits(99))
    second = say(captioner, 'a red ball ahead', Limits(99))
    assert (first.text, second.text) == ('a red box ahead', 'a red ball ahead')
    assert first.finish_reason == second.finish_reason == 'stop'
    assert len(second.steps) < len(first.steps)
    assert all(accepted == 0 for _, accepted in first.steps)


@pytest.mark.parametrize(
    'limits, context_length',
    [
        (Limits(5), 512),
        (Limits(99, stop=('box',)), 512),
        (Limits(99), 4 + len(QUESTION) + 6),
        (Limits(99, cancelled=lambda: True), 512),
        (Limits(1), 512),
    ],
)
def test_a_draft_changes_neither_text_nor_end(limits: Limits, context_length: int) -> None:
    plain, drafting = Captioner(GateSettings(), DraftPlan()), Captioner(GateSettings(), PLAN)
    said = [
        say(captioner, text, limits, context_length)
        for captioner in (plain, drafting)
        for text in ('a red box ahead', 'a red box ahead', 'a red bottle')
    ]
    for expected, found in zip(said[:3], said[3:], strict=True):
        assert (found.text, found.tokens) == (expected.text, expected.tokens)
        assert found.finish_reason == expected.finish_reason
