from collections.abc import Callable
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import sentencepiece

from mobilevlm_ros.engine import BackendError, BundleFileError
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.engine.support import LoadLlama

CONTEXT, SEQUENCES, BATCH = 96, 4, 32  # what the fixture loads with


@pytest.fixture
def llm(load: LoadLlama) -> LlamaCppLanguageModel:
    return load()


def embeddings(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (count, 64)).astype(np.float32)


def used_bytes(llm: LlamaCppLanguageModel) -> int:
    """What the cells in use take, as llama.cpp itself would save them."""
    return int(llama_cpp.llama_state_get_size(llm._context))


def test_a_copied_sequence_gives_the_logits_of_a_fresh_one(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300, 301])
    llm.copy(0, 1)
    llm.decode_embeddings(1, embeddings(16))
    llm.copy(1, 2)
    shared = llm.decode(2, [310, 311, 312])

    llm.decode(3, [1, 300, 301])
    llm.decode_embeddings(3, embeddings(16))
    np.testing.assert_array_equal(llm.decode(3, [310, 311, 312]), shared)


def test_a_copy_does_not_see_what_comes_later(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300])
    llm.copy(0, 1)
    llm.decode(0, [301, 302])
    llm.copy(1, 2)
    after = llm.decode(1, [303])
    llm.remove(0)
    np.testing.assert_array_equal(llm.decode(2, [303]), after)


def test_more_tokens_than_a_batch_are_decoded_in_parts(load: LoadLlama) -> None:
    tokens = [1, *range(300, 380)]
    parts, whole = load(batch_tokens=BATCH), load(batch_tokens=128)
    expected = whole.decode(0, tokens)
    np.testing.assert_allclose(parts.decode(0, tokens), expected, atol=2e-2, rtol=2e-2)
    assert parts.length(0) == len(tokens)


def test_a_removed_sequence_frees_its_cells(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, 300])
    before = used_bytes(llm)
    for _ in range(50):
        llm.copy(0, 1)
        llm.decode(1, list(range(300, 320)))
        assert used_bytes(llm) > before
        llm.remove(1)
    assert used_bytes(llm) == before
    assert llm.length(1) == 0


def test_a_copy_takes_almost_no_memory(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1, *range(300, 320)])
    alone = used_bytes(llm)
    llm.copy(0, 1)
    assert used_bytes(llm) - alone < alone / 20


def test_a_full_cache_is_our_error_and_leaves_the_sequence_as_it_was(load: LoadLlama) -> None:
    llm = load(cells=256, context_length=200)
    llm.decode(0, [1, *range(300, 400), *range(300, 390)])
    llm.decode(1, [1, 300])
    with pytest.raises(BackendError, match='no room for 100 more tokens'):
        llm.decode(1, list(range(300, 400)))
    assert llm.length(1) == 2
    llm.copy(1, 2)
    np.testing.assert_array_equal(llm.decode(1, [301]), llm.decode(2, [301]))


@pytest.mark.parametrize(
    ('misuse', 'message'),
    [
        (lambda llm: llm.decode(SEQUENCES, [1]), 'no sequence 4'),
        (lambda llm: llm.decode(-1, [1]), 'no sequence -1'),
        (lambda llm: llm.decode(0, []), 'nothing to decode'),
        (lambda llm: llm.decode(0, [420]), 'tokens must lie between 0 and 419'),
        (lambda llm: llm.decode(0, [-1]), 'tokens must lie between'),
        (lambda llm: llm.decode(0, [300] * (CONTEXT + 1)), 'do not fit'),
        (lambda llm: llm.decode_embeddings(0, embeddings(2)[:, :-1]), 'of shape'),
        (lambda llm: llm.decode_embeddings(0, embeddings(2)[0]), 'of shape'),
        (lambda llm: llm.decode_embeddings(0, embeddings(0)), 'nothing to decode'),
        (lambda llm: llm.copy(0, 0), 'not empty'),
        (lambda llm: llm.copy(0, SEQUENCES), 'no sequence'),
        (lambda llm: llm.remove(99), 'no sequence'),
        (lambda llm: llm.piece(420), 'tokens must lie between'),
    ],
)
def test_misuse_that_would_abort_the_process_is_our_error(
    llm: LlamaCppLanguageModel, misuse: Callable[[LlamaCppLanguageModel], object], message: str
) -> None:
    with pytest.raises(BackendError, match=message):
        misuse(llm)
    assert llm.decode(0, [1]).shape == (420,)


def test_a_sequence_is_copied_only_to_an_empty_one(llm: LlamaCppLanguageModel) -> None:
    llm.decode(0, [1])
    llm.decode(1, [1])
    with pytest.raises(BackendError, match='sequence 1 is not empty'):
        llm.copy(0, 1)


def test_pieces_joined_are_the_text(
    llm: LlamaCppLanguageModel, vocabulary: sentencepiece.SentencePieceProcessor
) -> None:
    text = 'What is ahead? 前面 🤖\n'
    tokens = llm.tokenise(text)
    assert b''.join(map(llm.piece, tokens)).decode() == ' ' + text
    assert vocabulary.decode(tokens) == text


def test_special_tokens_have_no_text_and_one_of_them_ends(llm: LlamaCppLanguageModel) -> None:
    assert [llm.piece(token) for token in (1, 2)] == [b'', b'']
    assert [llm.is_end(token) for token in (0, 1, 2, 300)] == [False, False, True, False]


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'llm.gguf').write_bytes(b'not a model at all')
    with pytest.raises(BundleFileError, match='not a GGUF file'):
        LlamaCppLanguageModel(tmp_path / 'llm.gguf', context_length=9, cells=9, sequences=1)


def test_a_truncated_gguf_is_our_error_with_the_reason(own_bundle: Path) -> None:
    path = own_bundle / 'llm.gguf'
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(BackendError, match=r'could not load .*llm\.gguf: .*'):
        LlamaCppLanguageModel(path, context_length=9, cells=9, sequences=1)


def test_closing_twice_does_no_harm(llm: LlamaCppLanguageModel) -> None:
    llm.close()
    llm.close()
