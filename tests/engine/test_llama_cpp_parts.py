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
        ([Part(0, [1]), Part(0, [1])], 'two parts of the same sequence'),
        ([Part(0, [1], rows=2)], '2 rows of logits of 1 tokens'),
    ):
        with pytest.raises(BackendError, match=message):
            llm.decode_parts(parts)


def test_a_sequence_cannot_be_cut_to_more_than_it_has(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300])
    with pytest.raises(BackendError, match='has 2 tokens; it cannot keep 3'):
        llm.truncate(0, 3)
