"""Typed answers of the model that ships: true to what it would say, and to the plain way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import Engine, EngineConfig, Frame, Question, open_engine
from mobilevlm_ros.engine.choices import log_likelihoods
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.sim.exam import Sheet, sheets
from mobilevlm_ros.sim.typed import choices_of
from mobilevlm_ros.training.calibration import accuracy_at, calibration_error, sureness
from mobilevlm_ros.training.typed_exam import TypedReader, typed_marks

NEAR = 0.1  # kernels may round differently by batch size; summed over the tokens of a choice
CONFIG = EngineConfig(llm_threads=1, encoder_threads=1)

Asked = list[tuple[str, tuple[str, ...]]]


@pytest.fixture(scope='module')
def reader(root: Path) -> Iterator[TypedReader]:
    with TypedReader(root / 'models' / 'nano', CONFIG) as reader:
        yield reader


@pytest.fixture(scope='module')
def engine(root: Path) -> Iterator[Engine]:
    with open_engine(root / 'models' / 'nano', CONFIG) as engine:
        yield engine


def typed(sheet: Sheet) -> Asked:
    asked = [(qa.question, choices_of(qa.kind, qa.question)) for qa in sheet.questions]
    return [(question, choices) for question, choices in asked if choices]


def test_the_likeliest_choice_is_what_it_would_say(reader: TypedReader, engine: Engine) -> None:
    compared = 0
    for sheet in sheets('perturbed', 41, 12):
        engine.look(Frame(sheet.image))
        asked = typed(sheet)
        for (question, choices), scores in zip(
            asked, reader.scores(sheet.image, asked), strict=True
        ):
            said = engine.ask(Question(question)).text
            if said in choices:
                compared += 1
                assert choices[int(scores.log_probabilities.argmax())] == said
    assert compared > 50


def plain_scores(
    reader: TypedReader, engine: Engine, sheet: Sheet, question: str, choices: tuple[str, ...]
) -> list[float]:
    """Each choice in a fresh sequence of another context, token by token."""
    llm, prompt = engine.language.llm, engine.bundle.prompt
    visual = engine.encode(Frame(sheet.image)).visual
    found = []
    for choice in choices:
        llm.decode(3, head_tokens(prompt, llm.tokenise, llm.bos))
        llm.decode_embeddings(3, visual)
        logits = llm.decode(3, question_tokens(prompt, question, llm.tokenise))
        rows = [logits, *(llm.decode(3, [token]) for token in llm.tokenise(choice))]
        found.append(log_likelihoods(np.stack(rows), [[*llm.tokenise(choice), llm.end]])[0])
        llm.remove(3)
    return found


def test_scores_are_those_of_each_choice_alone(reader: TypedReader, engine: Engine) -> None:
    sheet = next(s for s in sheets('plain', 42, 9) if len(s.questions) > 6)
    asked = [(question, choices[:8]) for question, choices in typed(sheet)]
    for (question, choices), scores in zip(asked, reader.scores(sheet.image, asked), strict=True):
        expected = plain_scores(reader, engine, sheet, question, choices)
        found = scores.log_probabilities
        np.testing.assert_allclose(found, expected, atol=NEAR, rtol=1e-2)


def test_what_is_asked_beside_changes_nothing(reader: TypedReader) -> None:
    sheet = next(s for s in sheets('plain', 43, 9) if len(s.questions) > 6)
    asked = typed(sheet)
    together = reader.scores(sheet.image, asked)
    for one, scores in zip(asked, together, strict=True):
        (alone,) = reader.scores(sheet.image, [one])
        np.testing.assert_allclose(
            scores.log_probabilities, alone.log_probabilities, atol=NEAR, rtol=1e-2
        )


@pytest.mark.parametrize(('split', 'most'), [('plain', 0.05), ('perturbed', 0.08)])
def test_it_is_as_sure_as_it_is_right(reader: TypedReader, split: str, most: float) -> None:
    marks = list(typed_marks(reader, split, 44, 150))
    temperature = reader.bundle.temperature
    found = sureness([m.scores for m in marks], [m.truth for m in marks], temperature)
    assert calibration_error(found) < most
    assert accuracy_at(found, 0.8) >= accuracy_at(found, 1.0) > 0.9
