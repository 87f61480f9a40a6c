from collections.abc import Sequence

import pytest

from mobilevlm_ros.engine import BackendError, FakeLanguageModel
from mobilevlm_ros.engine.steps import Part, Task, run_alone
from mobilevlm_ros.training.typed_exam import together


def count(sequence: int, *lengths: int) -> Task[list[tuple[int, ...]]]:
    found = []
    for length in lengths:
        step: Sequence[Part] = [Part(sequence, [1] * length, rows=length)]
        found += [rows.shape for rows in (yield step)]
    return found


def test_tasks_in_lockstep_are_each_sent_their_own() -> None:
    llm = FakeLanguageModel()
    tasks = [count(0, 1, 2, 3), count(1), count(2, 4)]
    assert run_alone(llm, together(tasks)) == [[(1, 258), (2, 258), (3, 258)], [], [(4, 258)]]
    assert [llm.length(sequence) for sequence in range(3)] == [6, 0, 4]


def test_nothing_asked_is_nothing_found() -> None:
    assert run_alone(FakeLanguageModel(), together([])) == []


def test_an_error_ends_all_of_them() -> None:
    ended = []

    def noted(sequence: int) -> Task[None]:
        try:
            yield [Part(sequence, [1])]
        finally:
            ended.append(sequence)

    with pytest.raises(BackendError, match='no sequence 99'):
        run_alone(FakeLanguageModel(), together([noted(0), noted(99)]))
    assert sorted(ended) == [0, 99]
