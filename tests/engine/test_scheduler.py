"""Many tasks over one model must each come to what they come to alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, CancelledError, FakeLanguageModel
from mobilevlm_ros.engine.pace import Pace
from mobilevlm_ros.engine.scheduler import Job, Scheduler
from mobilevlm_ros.engine.steps import Embeddings, Part, Task, run_alone
from mobilevlm_ros.engine.types import CAPTION
from tests.engine.support import LoadLlama, assert_near


@dataclass
class Noted:
    results: list[Any] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    interrupted: Exception | None = None

    def succeed(self, result: Any) -> None:
        self.results.append(result)

    def fail(self, error: Exception) -> None:
        self.errors.append(error)

    def interruption(self) -> Exception | None:
        return self.interrupted


class Calls:
    """Notes the sizes of what is decoded together, and fails on what it is told to."""

    def __init__(self, llm: Any, poison: int = -1, slow: float = 0.0) -> None:
        self._llm = llm
        self._poison = poison
        self.parts: list[list[int]] = []
        self.order: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def decode_parts(self, parts: Sequence[Part]) -> list[np.ndarray]:
        if any(self._poison in part.tokens for part in parts):
            raise BackendError('poison')
        self.parts.append([len(part.tokens) for part in parts])
        self.order.append('parts')
        return list(self._llm.decode_parts(parts))

    def decode_embeddings(self, sequence: int, values: np.ndarray) -> None:
        self.order.append(f'look {len(values)}')
        self._llm.decode_embeddings(sequence, values)


class Steady(Pace):
    def tokens(self, seconds: float) -> int:
        return 25


def say(sequence: int, prompt: list[int], count: int) -> Task[list[np.ndarray]]:
    """A prompt and then so many tokens; the rows of logits on the way."""
    (rows,) = yield [Part(sequence, prompt)]
    found = [rows[-1].copy()]
    for _ in range(count):
        (rows,) = yield [Part(sequence, [int(found[-1].argmax())])]
        found.append(rows[-1].copy())
    return found


def look(sequence: int, values: np.ndarray) -> Task[str]:
    yield Embeddings(sequence, values)
    return 'looked'


def run(scheduler: Scheduler) -> None:
    while scheduler.tick():
        scheduler.deliver()
    scheduler.deliver()


def test_tasks_come_to_what_they_come_to_alone(load: LoadLlama) -> None:
    prompts = [[1, *range(300, 300 + 7 * n)] for n in (1, 3, 2)]
    together, alone = load(), load()
    scheduler, noted = Scheduler(together, batch_tokens=32), Noted()
    for number, prompt in enumerate(prompts):
        scheduler.add(Job(say(number, prompt, 5), noted))
    run(scheduler)
    expected = [run_alone(alone, say(n, prompt, 5)) for n, prompt in enumerate(prompts)]
    found = sorted(noted.results, key=lambda rows: -rows[0].max())
    expected.sort(key=lambda rows: -rows[0].max())
    for one, other in zip(found, expected, strict=True):
        assert_near(np.stack(one), np.stack(other))


def test_tasks_are_decoded_together_and_leave_when_they_are_done() -> None:
    llm, noted = Calls(FakeLanguageModel()), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(0, [1, 2], 3), noted))
    scheduler.add(Job(say(1, [1, 2, 3], 1), noted))
    run(scheduler)
    assert llm.parts == [[2, 3], [1, 1], [1], [1]]
    assert [len(rows) for rows in noted.results] == [2, 4]


def test_a_task_may_join_while_others_are_at_work() -> None:
    llm, noted = Calls(FakeLanguageModel()), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(0, [1], 9), noted))
    scheduler.tick()
    scheduler.add(Job(say(1, [1, 2], 0), noted))
    run(scheduler)
    assert llm.parts[:3] == [[1], [1, 2], [1]]


def test_only_the_guilty_task_has_the_error() -> None:
    llm, good, guilty = Calls(FakeLanguageModel(), poison=77), Noted(), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(0, [1, 2], 2), good))
    scheduler.add(Job(say(1, [1, 77, 2], 2), guilty))
    scheduler.add(Job(say(2, [3, 2], 2), good))
    run(scheduler)
    assert len(good.results) == 2 and not good.errors
    assert [str(error) for error in guilty.errors] == ['poison']


def test_a_task_that_raises_fails_alone() -> None:
    def fall(sequence: int) -> Task[None]:
        yield [Part(sequence, [1])]
        raise ZeroDivisionError

    llm, good, guilty = FakeLanguageModel(), Noted(), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(fall(0), guilty))
    scheduler.add(Job(say(1, [1], 3), good))
    run(scheduler)
    assert isinstance(guilty.errors[0], ZeroDivisionError)
    assert len(good.results) == 1


@pytest.mark.parametrize('step', [[], [Part(0, [])], Embeddings(0, np.zeros((0, 8), np.float32))])
def test_a_step_with_nothing_in_it_is_an_error(step: Any) -> None:
    def idle() -> Task[None]:
        yield step

    scheduler, noted = Scheduler(FakeLanguageModel(), 512), Noted()
    scheduler.add(Job(idle(), noted))
    run(scheduler)
    assert 'nothing to decode' in str(noted.errors[0])


def test_a_long_prompt_is_decoded_between_the_tokens_of_others() -> None:
    llm, noted = Calls(FakeLanguageModel(context_length=512)), Noted()
    scheduler = Scheduler(llm, batch_tokens=512, pace=Steady())
    scheduler.add(Job(say(0, [1], 60), noted))
    scheduler.tick()
    scheduler.add(Job(say(1, [1] * 300, 0), noted))
    scheduler.tick()
    assert llm.parts[1] == [1, 24]


def test_a_prompt_is_decoded_whole_when_nothing_waits_for_it() -> None:
    llm, noted = Calls(FakeLanguageModel(context_length=512)), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(1, [1] * 300, 0), noted))
    run(scheduler)
    assert llm.parts == [[300]]


def test_prefill_in_chunks_gives_the_logits_of_prefill_at_once(load: LoadLlama) -> None:
    def rows_of_all(sequence: int) -> Task[np.ndarray]:
        (rows,) = yield [Part(sequence, [1, *range(300, 379)], rows=60)]
        return rows.copy()

    noted = Noted()
    scheduler = Scheduler(load(context_length=96, batch_tokens=96), batch_tokens=20)
    scheduler.add(Job(rows_of_all(0), noted))
    run(scheduler)
    whole = run_alone(load(context_length=96, batch_tokens=96), rows_of_all(0))
    assert_near(noted.results[0], whole)


def test_a_look_goes_in_chunks_between_the_tokens_of_an_answer_and_whole_when_alone() -> None:
    llm, noted = Calls(FakeLanguageModel()), Noted()
    scheduler = Scheduler(llm, batch_tokens=512, pace=Steady())
    values = np.ones((80, 8), np.float32)
    scheduler.add(Job(look(1, values), noted))
    run(scheduler)
    assert llm.order == ['look 80']
    scheduler.add(Job(say(0, [1], 12), noted))
    scheduler.add(Job(look(2, values), noted))
    llm.order.clear()
    for _ in range(6):
        scheduler.tick()
    assert llm.order == ['parts', 'look 25'] * 3
    run(scheduler)
    assert llm.length(2) == 80


def test_a_caption_waits_while_a_question_is_answered() -> None:
    llm, noted, told = Calls(FakeLanguageModel()), Noted(), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(0, [1], 9), told, CAPTION))
    scheduler.tick()
    scheduler.add(Job(say(1, [1, 2, 3], 3), noted))
    while not noted.results:
        scheduler.tick()
        scheduler.deliver()
    assert llm.length(0) == 1 and not told.results
    run(scheduler)
    assert len(told.results) == 1


def test_an_interruption_reaches_a_task_at_its_next_step() -> None:
    llm, noted = Calls(FakeLanguageModel()), Noted()
    scheduler = Scheduler(llm, batch_tokens=512)
    scheduler.add(Job(say(0, [1], 9), noted))
    scheduler.tick()
    noted.interrupted = CancelledError('enough')
    run(scheduler)
    assert noted.errors == [noted.interrupted]
    assert llm.parts == [[1]]


def test_pace_follows_what_was_measured() -> None:
    pace = Pace()
    pace.learn(200, 1.0)
    assert pace.tokens(0.5) == 100
    pace.learn(1, 5.0)  # too few to tell
    assert pace.tokens(0.5) == 100
    pace.learn(100, 1.0)
    assert 50 < pace.tokens(0.5) < 100
