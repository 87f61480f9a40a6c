"""The model that ships says the same together as alone, and on a held frame as on a new one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilevlm_ros.engine import Engine, EngineConfig, EngineWorker, Frame, Question, open_engine
from mobilevlm_ros.sim.exam import Sheet, sheets

CONFIG = EngineConfig(llm_threads=1, encoder_threads=1)
WAIT_S = 60.0


@pytest.fixture(scope='module')
def some_sheets() -> list[Sheet]:
    return [sheet for sheet in sheets('plain', 31, 8) if len(sheet.questions) > 3][:4]


@pytest.fixture(scope='module')
def alone(root: Path, some_sheets: list[Sheet]) -> list[list[str]]:
    """The answers of an engine that holds nothing but the frame that is asked about."""
    answers = []
    for sheet in some_sheets:
        with open_engine(root / 'models' / 'nano', CONFIG) as engine:
            engine.look(Frame(sheet.image))
            answers.append([engine.ask(Question(qa.question)).text for qa in sheet.questions])
    return answers


@pytest.fixture
def nano(root: Path) -> Iterator[Engine]:
    with open_engine(root / 'models' / 'nano', CONFIG) as engine:
        yield engine


def test_questions_asked_together_are_answered_as_alone(
    root: Path, some_sheets: list[Sheet], alone: list[list[str]]
) -> None:
    with EngineWorker(open_engine(root / 'models' / 'nano', CONFIG)) as worker:
        for sheet, expected in zip(some_sheets, alone, strict=True):
            worker.show(Frame(sheet.image))
            questions = [Question(qa.question) for qa in sheet.questions]
            replies = worker.submit_all(questions, newest=True)
            assert [reply.result(WAIT_S).text for reply in replies] == expected


def test_frames_of_many_cameras_are_answered_about_as_alone(
    nano: Engine, some_sheets: list[Sheet], alone: list[list[str]]
) -> None:
    for number, sheet in enumerate(some_sheets):
        nano.look(Frame(sheet.image, camera=str(number)))
    for number, (sheet, expected) in enumerate(zip(some_sheets, alone, strict=True)):
        found = [nano.ask(Question(qa.question), str(number)).text for qa in sheet.questions]
        assert found == expected


def test_a_conversation_goes_on_as_one_that_is_decoded_afresh(
    nano: Engine, some_sheets: list[Sheet]
) -> None:
    sheet = some_sheets[0]
    nano.look(Frame(sheet.image))
    for session, forgets in (('kept', False), ('made again', True)):
        for qa in sheet.questions[:4]:
            nano.ask(Question(qa.question, session=session))
            if forgets:
                nano.language.sessions.give_up_sequence()
    sessions = nano.language.sessions
    assert sessions.find('kept').turns == sessions.find('made again').turns
