import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
from sentencepiece import SentencePieceProcessor
from sentencepiece import sentencepiece_model_pb2 as proto

from mobilevlm_ros.convert.vocabulary import load_vocabulary
from mobilevlm_ros.engine.errors import CheckpointError


def test_pieces_are_those_of_the_library(
    vocabulary: Path, tokenizer: SentencePieceProcessor
) -> None:
    found = load_vocabulary(vocabulary, 360)
    numbers = range(len(tokenizer))
    assert [piece.text for piece in found.pieces] == [tokenizer.id_to_piece(i) for i in numbers]
    assert [piece.score for piece in found.pieces] == [tokenizer.get_score(i) for i in numbers]
    kinds = [piece.kind for piece in found.pieces]
    assert [kind == gguf.TokenType.BYTE for kind in kinds] == [*map(tokenizer.is_byte, numbers)]
    assert kinds[:3] == [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    assert (found.unknown, found.bos, found.eos, found.space_prefix) == (0, 1, 2, True)


def test_rows_without_a_piece_become_unused_tokens(vocabulary: Path) -> None:
    pieces = load_vocabulary(vocabulary, 364).pieces
    assert [piece.text for piece in pieces[359:]][1:] == [f'[PAD{i}]' for i in range(360, 364)]
    assert {piece.kind for piece in pieces[360:]} == {gguf.TokenType.UNUSED}


def test_added_tokens_keep_their_names_and_numbers(vocabulary: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(vocabulary, tmp_path))
    added = {'<im_patch>': 361, '<pad>': 360, '</s>': 2}
    path.with_name('added_tokens.json').write_text(json.dumps(added))
    pieces = load_vocabulary(path, 363).pieces
    assert [piece.text for piece in pieces[360:]] == ['<pad>', '<im_patch>', '[PAD362]']
    assert pieces[361].kind == gguf.TokenType.CONTROL


def test_added_tokens_with_a_gap_are_refused(vocabulary: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(vocabulary, tmp_path))
    path.with_name('added_tokens.json').write_text('{"<im_patch>": 362}')
    with pytest.raises(CheckpointError, match='leaves out numbers after 359'):
        load_vocabulary(path, 364)


def test_added_tokens_without_a_row_are_left_out(vocabulary: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(vocabulary, tmp_path))
    path.with_name('added_tokens.json').write_text('{"<pad>": 360}')
    assert len(load_vocabulary(path, 360).pieces) == 360


def test_a_strange_list_of_added_tokens_is_refused(vocabulary: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(vocabulary, tmp_path))
    path.with_name('added_tokens.json').write_text('["<pad>"]')
    with pytest.raises(CheckpointError, match='does not map tokens to numbers'):
        load_vocabulary(path, 362)


def test_more_pieces_than_rows_are_refused(vocabulary: Path) -> None:
    with pytest.raises(CheckpointError, match='360 pieces where the embeddings have 359 rows'):
        load_vocabulary(vocabulary, 359)


def as_unigram(model: Any) -> None:
    model.trainer_spec.model_type = proto.TrainerSpec.UNIGRAM


def as_normalising(model: Any) -> None:
    model.normalizer_spec.precompiled_charsmap = b'rules'


def as_squeezing(model: Any) -> None:
    model.normalizer_spec.remove_extra_whitespaces = True


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [(as_unigram, 'no BPE'), (as_normalising, 'normalises'), (as_squeezing, 'normalises')],
)
def test_what_llama_cpp_would_tokenise_otherwise_is_refused(
    vocabulary: Path, tmp_path: Path, change: Callable[[Any], None], complaint: str
) -> None:
    model = proto.ModelProto()
    model.ParseFromString(vocabulary.read_bytes())
    change(model)
    path = tmp_path / 'tokenizer.model'
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=complaint):
        load_vocabulary(path, 400)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'tokenizer.model'
    path.write_text('{"version": "1.0"}')
    with pytest.raises(CheckpointError, match=r'tokenizer\.model is no SentencePiece model'):
        load_vocabulary(path, 400)
