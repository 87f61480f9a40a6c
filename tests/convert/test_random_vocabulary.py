from dataclasses import replace
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor

from mobilevlm_ros.convert.llama_gguf import write_llama
from mobilevlm_ros.convert.presets import write_random
from mobilevlm_ros.convert.random_vocabulary import write_random_vocabulary
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.convert.support import TINY

TEXTS = [
    'What is in the picture? Describe the scene, please.',
    '\nIs the path ahead clear? Answer yes or no. ASSISTANT:',
    'café 机器人 🤖 \t\x01',
    'a' * 200,
    '  two  spaces  ',
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with LLaMA's number of pieces."""
    path: Path = tmp_path_factory.mktemp('random') / 'checkpoint'
    write_random(replace(TINY, vocabulary=32000), path, 0, {'random': 'tiny'})
    return path


def test_it_has_llama_s_size_and_special_tokens(folder: Path) -> None:
    pieces = SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
    assert len(pieces) == 32000
    assert (pieces.unk_id(), pieces.bos_id(), pieces.eos_id()) == (0, 1, 2)
    assert pieces.is_byte(3) and pieces.is_byte(258) and not pieces.is_byte(259)
    assert len({pieces.id_to_piece(i) for i in range(32000)}) == 32000


@pytest.mark.parametrize('text', TEXTS)
def test_llama_cpp_tokenises_with_it_as_sentencepiece_does(folder: Path, text: str) -> None:
    path = folder / 'llm.gguf'
    if not path.exists():
        write_llama(open_source(folder), path)
    llama = LlamaCppLanguageModel(path, context_length=32, cells=32, sequences=1, threads=1)
    pieces = SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
    assert llama.tokenise(text) == pieces.encode(text)
    assert pieces.decode(pieces.encode(text)) == text
    llama.close()


def test_every_piece_can_be_reached(folder: Path) -> None:
    pieces = SentencePieceProcessor(model_file=str(folder / 'tokenizer.model'))
    some = [pieces.id_to_piece(i) for i in range(259, 32000, 97)]
    texts = [piece.replace('▁', ' ') for piece in some]
    marked = [text for text in texts if text.startswith(' ')]
    assert len(marked) > 50
    for text in marked:  # the space is the one that is put before every text
        assert pieces.encode(text[1:]) == [pieces.piece_to_id('▁' + text[1:])]


def test_small_vocabularies_are_possible(tmp_path: Path) -> None:
    write_random_vocabulary(tmp_path / 'tokenizer.model', 400)
    pieces = SentencePieceProcessor(model_file=str(tmp_path / 'tokenizer.model'))
    assert len(pieces) == 400 and pieces.decode(pieces.encode('Hello!')) == 'Hello!'
