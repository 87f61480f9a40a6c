"""Several sequences in one call, and sequences cut back."""

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.steps import Part
from tests.engine.support import LoadLlama

NEAR = 2e-2  # kernels may round differently by batch size


@pytest.fixture
def llm(load: LoadLlama) -> LlamaCppLanguageModel:
    return load()


def test_parts_of_several_sequences_decode_as_each_would_alone(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300])
    for sequence in (1, 2, 3):
        llm.copy(0, sequence)
    first, second = (r.copy() for r in llm.decode_parts([Part(1, [301, 302], 2), Part(2, [303])]))
    assert (llm.length(1), llm.length(2)) == (4, 3)
    np.testing.assert_allclose(llm.decode(3, [301]), first[0], atol=NEAR, rtol=NEAR)
    np.testing.assert_allclose(llm.decode(3, [302]), first[1], atol=NEAR, rtol=NEAR)
    llm.truncate(3, 2)
    np.testing.assert_allclose(llm.decode(3, [303]), second[0], atol=NEAR, rtol=NEAR)


@pytest.mark.parametrize('batch_tokens', [512, 4, 2])
def test_tokens_that_sequences_share_are_those_of_each(load: LoadLlama, batch_tokens: int) -> None:
    llm = load(batch_tokens=batch_tokens)
    stem, ends = [300, 301, 302], {0: [303, 304], 1: [305], 2: [306]}
    shared = Part(0, stem, rows=2, also=(1, 2))
    found = llm.decode_parts(
        [shared, *(Part(s, tokens, len(tokens)) for s, tokens in ends.items())]
    )
    assert [llm.length(sequence) for sequence in range(4)] == [5, 4, 4, 0]
    for (sequence, tokens), rows in zip(ends.items(), found[1:], strict=True):
        llm.remove(3)
        alone = llm.decode_parts([Part(3, [*stem, *tokens], rows=2 + len(tokens))])[0]
        np.testing.assert_allclose(alone, [*found[0], *rows], atol=NEAR, rtol=NEAR)
        assert llm.decode(sequence, [307]).argmax() == llm.decode(3, [307]).argmax()


def test_sequences_that_shared_tokens_free_them_one_by_one(load: LoadLlama) -> None:
    llm = load(cells=256, context_length=200, sequences=3)
    for _ in range(3):
        llm.decode_parts([Part(0, [1] * 150, also=(1, 2)), *(Part(s, [300]) for s in range(3))])
        llm.remove(0)
        llm.remove(2)
        with pytest.raises(BackendError, match='no room'):
            llm.decode_parts([Part(0, [1] * 150, also=(2,)), Part(2, [300])])
        assert [llm.length(sequence) for sequence in range(3)] == [0, 151, 0]
        llm.remove(1)


def test_parts_that_take_several_batches_keep_all_rows(load: LoadLlama) -> None:
    llm = load(batch_tokens=32)
    tokens = list(range(300, 330))
    rows = llm.decode_parts([Part(sequence, tokens, rows=2) for sequence in (0, 1, 2)])
    assert [len(found) for found in rows] == [2, 2, 2]
    for found in rows:
        np.testing.assert_allclose(found, rows[0], atol=NEAR, rtol=NEAR)


def test_parts_that_find_no_room_leave_every_sequence_as_it_was(load: LoadLlama) -> None:
    llm = load(cells=256, context_length=200)
    llm.decode(0, [1, *range(300, 400), *range(300, 390)])
    llm.decode(1, [1, 300])
    with pytest.raises(BackendError, match='no room'):
        llm.decode_parts([Part(1, [301]), Part(2, list(range(300, 400)))])
    assert [llm.length(sequence) for sequence in (0, 1, 2)] == [191, 2, 0]
    expected = llm.decode(1, [301])
    llm.truncate(1, 2)
    np.testing.assert_array_equal(llm.decode(1, [301]), expected)


def test_parts_that_make_no_sense_are_our_error(llm: LlamaCppLanguageModel) -> None:
    for parts, message in (
        ([], 'list of parts is empty'),
        ([Part(0, [1], rows=2)], '2 rows of logits of 1 tokens'),
        ([Part(0, [1]), Part(0, [])], 'list of tokens is empty'),
        ([Part(0, [1] * 60), Part(0, [1] * 37)], 'do not fit into sequence 0: room for 36'),
        ([Part(0, [1], also=(99,))], 'no sequence 99'),
        ([Part(0, [1], also=(0,))], 'cannot share tokens: one is named twice'),
        ([Part(0, [1]), Part(0, [1], also=(1,))], 'cannot share tokens: lengths differ'),
    ):
        with pytest.raises(BackendError, match=message):
            llm.decode_parts(parts)


def test_a_sequence_cannot_be_cut_to_more_than_it_has(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300])
    with pytest.raises(BackendError, match='has 2 tokens; it cannot keep 3'):
        llm.truncate(0, 3)
