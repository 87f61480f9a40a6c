"""Scoring choices with a model: against the plain way, and what it costs."""

from collections.abc import Sequence

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, BusyError, FakeLanguageModel, TooLongError
from mobilevlm_ros.engine.choices import Branch, Verdict, log_likelihoods
from mobilevlm_ros.engine.choose import choose, score, wave
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sequences import HEAD, SCRATCH, SequencePool
from mobilevlm_ros.engine.steps import Part, decode_step, run_alone
from tests.engine.support import LoadLlama

NEAR = 2e-2  # kernels may round differently by batch size
QUESTION = [303, 304, 305]
CHOICES = {
    'first tokens differ': [[310], [311, 312], [313, 314, 315]],
    'all begin alike': [[310, 311, 312], [310, 311], [310, 313]],
    'one is all that they begin with': [[310], [310, 311], [310, 312]],
    'one begins another': [[310, 311], [320], [310, 311, 312]],
}


def plain_scores(llm: LanguageModel, choices: Sequence[Sequence[int]]) -> list[float]:
    """Each choice alone, token by token, in a sequence made anew."""
    found = []
    for choice in choices:
        llm.remove(1)
        llm.copy(0, 1)
        logits, total = llm.decode(1, QUESTION), 0.0
        for token in choice:
            total += log_likelihoods(logits[None], [[token]])[0]
            logits = llm.decode(1, [token])
        found.append(total + float(log_likelihoods(logits[None], [[llm.end]])[0]))
    llm.remove(1)
    return found


@pytest.mark.parametrize('choices', CHOICES.values(), ids=CHOICES.keys())
@pytest.mark.parametrize('sequences', [2, 3, 6])
def test_scores_are_those_of_each_choice_alone(
    load: LoadLlama, choices: list[list[int]], sequences: int
) -> None:
    llm = load(sequences=sequences)
    pool = SequencePool(llm, [1, 300, 301, 302])
    scores = run_alone(llm, score(llm, pool, HEAD, QUESTION, choices))
    np.testing.assert_allclose(
        scores.log_probabilities, plain_scores(llm, choices), atol=NEAR, rtol=NEAR
    )
    assert pool.free == sequences - 1
    assert [llm.length(s) for s in range(sequences)] == [4] + [0] * (sequences - 1)


def steps_of(llm: FakeLanguageModel, pool: SequencePool, *choices: str) -> list[list[Part]]:
    task = choose(llm, pool, HEAD, llm.tokenise(' ASSISTANT:'), [llm.tokenise(c) for c in choices])
    steps = []
    try:
        step = next(task)
        while True:
            assert isinstance(step, list)
            steps.append(step)
            step = task.send(llm.decode_parts(step))
    except StopIteration:
        return steps


@pytest.fixture
def fake() -> FakeLanguageModel:
    return FakeLanguageModel(reply=lambda question, visual: 'a red box')


@pytest.fixture
def pool(fake: FakeLanguageModel) -> SequencePool:
    pool = SequencePool(fake, [fake.bos])
    fake.decode_embeddings(HEAD, np.zeros((2, 8), np.float32))
    return pool


def verdict(
    llm: FakeLanguageModel, pool: SequencePool, *choices: str, **options: float
) -> Verdict:
    question, tokens = llm.tokenise(' ASSISTANT:'), [llm.tokenise(c) for c in choices]
    return run_alone(llm, choose(llm, pool, HEAD, question, tokens, **options))


def test_the_choice_that_would_be_generated_is_taken(
    fake: FakeLanguageModel, pool: SequencePool
) -> None:
    found = verdict(fake, pool, 'a red', 'a red box', 'a red box or two')
    assert found.choice == 1 and not found.abstained
    assert found.probabilities[1] > 0.99 and sum(found.probabilities) == pytest.approx(1)


def test_it_abstains_where_no_choice_is_probable_enough(
    fake: FakeLanguageModel, pool: SequencePool
) -> None:
    found = verdict(fake, pool, 'x', 'y', min_probability=0.51)
    assert found.abstained and found.choice == -1
    assert found.probabilities == pytest.approx((0.5, 0.5))


def test_a_question_takes_one_step_and_decodes_what_choices_share_once(
    fake: FakeLanguageModel, pool: SequencePool
) -> None:
    steps = steps_of(fake, pool, 'the red box', 'the red ball', 'the red')
    tokens = [[bytes(part.tokens) for part in step] for step in steps]
    assert tokens == [[b' ASSISTANT:the red', b' ball', b' box']]
    before = fake.decoded
    found = verdict(fake, pool, 'the red box', 'the red ball', 'the red')
    assert found.decoded_tokens == fake.decoded - before == 27


def test_choices_wait_for_sequences_in_waves(fake: FakeLanguageModel, pool: SequencePool) -> None:
    taken = [pool.take(HEAD) for _ in range(5)]
    steps = steps_of(fake, pool, *'abcde')
    assert [len(step) for step in steps] == [3, 2, 1]
    assert pool.free == 7 - len(taken)


def test_many_choices_leave_the_sequences_of_others_alone() -> None:
    fake = FakeLanguageModel(sequences=60)
    pool = SequencePool(fake, [fake.bos])
    tasks = [choose(fake, pool, HEAD, [1], [[number] for number in range(64)]) for _ in range(2)]
    assert [len(next(task)) for task in tasks] == [1 + SCRATCH, 1 + 1]
    assert pool.free == 59 - SCRATCH - 1
    for task in tasks:
        task.close()
    assert (pool.free, pool.spare) == (59, SCRATCH)


def test_a_wave_has_no_more_tokens_than_fit_into_one_context() -> None:
    waiting = [Branch((0,) * size, ()) for size in (5, 4, 3)]
    assert wave(waiting, 9, 12) == 3
    assert wave(waiting, 9, 11) == 2
    assert wave(waiting, 1, 12) == 1
    assert wave(waiting, 9, 4) == 1


@pytest.mark.parametrize('steps', [1, 2])
@pytest.mark.parametrize('error', [None, BackendError('no room')])
def test_sequences_are_given_back_by_a_task_that_ends_early(
    fake: FakeLanguageModel, pool: SequencePool, steps: int, error: Exception | None
) -> None:
    choices = [[number] for number in range(9)]
    task = choose(fake, pool, HEAD, fake.tokenise(' ASSISTANT:'), choices)
    step = next(task)
    if steps == 2:
        step = task.send(decode_step(fake, step))
    assert pool.free == (0 if steps == 1 else 5)
    if error:
        with pytest.raises(BackendError, match='no room'):
            task.throw(error)
    task.close()
    assert pool.free == 7 and fake.length(HEAD) == 3


def test_what_does_not_fit_is_refused_before_anything_is_decoded(
    fake: FakeLanguageModel, pool: SequencePool
) -> None:
    before = fake.decoded
    with pytest.raises(TooLongError, match='take 511 tokens; there is room for 509'):
        verdict(fake, pool, 'a', 'b' * 500)
    assert fake.decoded == before


def test_a_vocabulary_without_an_end_cannot_be_asked(
    fake: FakeLanguageModel, pool: SequencePool
) -> None:
    fake.end = -1
    with pytest.raises(BackendError, match='no token that ends an answer'):
        verdict(fake, pool, 'a', 'b')


def test_no_free_sequence_at_all_is_told(fake: FakeLanguageModel, pool: SequencePool) -> None:
    for _ in range(7):
        pool.take(HEAD)
    with pytest.raises(BusyError):
        next(choose(fake, pool, HEAD, [1], [[1], [2]]))
