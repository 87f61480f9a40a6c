import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, FakeLanguageModel, Frame, Question
from mobilevlm_ros.engine.fake import create_fake_engine


def test_the_reply_is_made_from_question_and_image() -> None:
    def reply(question: str, visual: np.ndarray) -> str:
        return f'{len(visual)} tokens for {question.strip()!r} 🤖'

    with create_fake_engine(reply=reply) as engine:
        engine.look(Frame(np.zeros((3, 3, 3), np.uint8)))
        assert engine.ask(Question('Hi')).text == "4 tokens for 'Hi ASSISTANT:' 🤖"


def test_the_fake_keeps_the_rules_of_the_real_one() -> None:
    llm = FakeLanguageModel(context_length=4, sequences=2)
    llm.decode(0, [1, 2])
    for misuse in (
        lambda: llm.decode(0, [1, 2, 3]),
        lambda: llm.decode(2, [1]),
        lambda: llm.copy(1, 0),
        lambda: llm.remove(-1),
        lambda: llm.decode_embeddings(1, np.zeros((0, 8), np.float32)),
    ):
        with pytest.raises(BackendError):
            misuse()
    assert llm.decoded == 2
