"""One caption after another."""

import numpy as np
import pytest

from mobilevlm_ros.engine import FakeLanguageModel
from mobilevlm_ros.engine.captions import Captioner
from mobilevlm_ros.engine.change import GateSettings
from mobilevlm_ros.engine.draft import DraftedText, DraftPlan
from mobilevlm_ros.engine.steps import run_alone
from tests.engine.drafting import generate

PLAN = DraftPlan((1.0, 1.1, 1.2, 1.3))
QUESTION = list(b'\nWhat? ASSISTANT:')


def say(captioner: Captioner, text: str, most: int = 99, room: int = 400) -> tuple[str, int]:
    """What is said of a view where the model would say `text`, and in how many steps."""
    llm = FakeLanguageModel(reply=lambda *_: text, context_length=4 + len(QUESTION) + room)
    llm.decode_embeddings(1, np.ones((4, llm.width), np.float32))
    draft = captioner.draft()
    said = run_alone(llm, generate(llm, 1, QUESTION, DraftedText(llm, draft), most))
    captioner.keep(said)
    return bytes(said).decode(), len(draft.steps)


@pytest.fixture
def captioner() -> Captioner:
    return Captioner(GateSettings(), PLAN)


def test_the_last_caption_is_the_draft_of_the_next(captioner: Captioner) -> None:
    first, steps = say(captioner, 'a red box ahead')
    second, fewer = say(captioner, 'a red ball ahead')
    assert (first, second) == ('a red box ahead', 'a red ball ahead')
    assert steps == len(first) and fewer < len(second) / 2


@pytest.mark.parametrize('most, room', [(99, 400), (5, 400), (1, 400), (99, 6)])
def test_a_draft_changes_neither_text_nor_end(captioner: Captioner, most: int, room: int) -> None:
    plain = Captioner(GateSettings(), DraftPlan())
    for text in ('a red box ahead', 'a red box ahead', 'a red bottle', ''):
        assert say(captioner, text, most, room)[0] == say(plain, text, most, room)[0]
