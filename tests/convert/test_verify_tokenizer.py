"""A real vocabulary of 32,000 pieces through our GGUF writer and llama.cpp."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece

from mobilevlm_ros.convert.llama_gguf import F16, write_llama
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.convert.verify_tokenizer import verify_tokenizer
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.model.checkpoint import Usage, save_checkpoint
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm


@pytest.fixture(scope='module')
def real_vocabulary() -> Path:
    """Mistral 7B's, LLaMA's in kind and size, which mistral-common ships."""
    spec = importlib.util.find_spec('mistral_common')  # its data is wanted, not its code
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / 'data' / 'tokenizer.model.v1'


@pytest.fixture(scope='module')
def loaded(
    real_vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LlamaCppLanguageModel]:
    """A model of one narrow block with that vocabulary."""
    folder: Path = tmp_path_factory.mktemp('real')
    geometry = Geometry(
        image_size=20, vision_width=32, vision_layers=1, vision_heads=1, width=32, layers=1,
        heads=1, feed_forward=256, vocabulary=32000, context=64,
    )  # fmt: skip
    usage = Usage('real', {}, {}, '', '', {})
    save_checkpoint(MobileVlm(geometry), usage, real_vocabulary, folder / 'checkpoint')
    write_llama(open_source(folder / 'checkpoint'), folder / 'llm.gguf', F16)
    llm = LlamaCppLanguageModel(folder / 'llm.gguf', context_length=64, cells=64, sequences=1)
    yield llm
    llm.close()


def test_a_real_vocabulary_tokenises_as_sentencepiece(
    loaded: LlamaCppLanguageModel, real_vocabulary: Path
) -> None:
    row = verify_tokenizer(loaded.tokenise, real_vocabulary, random_texts=1500)
    assert row.passed, row.note
    assert row.amount.startswith('1522 texts, ')


def test_every_piece_has_the_bytes_that_sentencepiece_gives_it(
    loaded: LlamaCppLanguageModel, real_vocabulary: Path
) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(real_vocabulary))
    assert loaded.vocabulary == len(reference) == 32000
    for token in range(3, len(reference)):
        piece = reference.id_to_piece(token)
        byte = bytes([int(piece[3:-1], 16)]) if reference.is_byte(token) else None
        assert loaded.piece(token) == (byte or piece.replace('▁', ' ').encode())


def test_one_text_that_differs_fails_and_is_quoted(real_vocabulary: Path) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(real_vocabulary))

    def tokenise(text: str) -> list[int]:
        return [] if text == 'What is ahead?' else list(reference.encode(text))

    row = verify_tokenizer(tokenise, real_vocabulary, random_texts=0)
    assert not row.passed
    assert row.worst[0].value == 1 and "'What is ahead?'" in row.note
