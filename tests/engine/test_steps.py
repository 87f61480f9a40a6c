"""Tasks that run with nothing beside them."""

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, FakeLanguageModel
from mobilevlm_ros.engine.steps import Embeddings, Part, Task, run_alone


def count_rows(*steps: list[Part] | Embeddings) -> Task[list[list[int]]]:
    found = []
    for step in steps:
        logits = yield step
        found.append([len(rows) for rows in logits])
    return found


def test_a_task_is_sent_the_logits_of_each_step() -> None:
    steps = ([Part(0, [1]), Part(1, [2, 3], rows=2)], Embeddings(1, np.ones((4, 8), np.float32)))
    llm = FakeLanguageModel()
    assert run_alone(llm, count_rows(*steps)) == [[1, 2], []]
    assert (llm.length(0), llm.length(1)) == (1, 6)


def test_what_a_step_raises_is_raised_in_the_task() -> None:
    def clean_up() -> Task[str]:
        try:
            yield [Part(99, [1])]
        except BackendError as error:
            yield [Part(0, [1])]
            return str(error)
        return ''

    llm = FakeLanguageModel()
    assert 'no sequence 99' in run_alone(llm, clean_up())
    assert llm.length(0) == 1


def test_an_error_that_a_task_leaves_ends_it() -> None:
    with pytest.raises(BackendError, match='nothing to decode'):
        run_alone(FakeLanguageModel(), count_rows([]))
