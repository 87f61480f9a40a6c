"""A SentencePiece vocabulary as llama.cpp's `llama` tokeniser takes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from google.protobuf.message import DecodeError
from sentencepiece import sentencepiece_model_pb2 as proto

from mobilevlm_ros.engine.errors import CheckpointError

ADDED = 'added_tokens.json'
ADDED_SCORE = -1000.0  # as llama.cpp's own converter has it; nothing is merged into these


@dataclass(frozen=True)
class Piece:
    """One token: its text, its rank in merging, its kind."""

    text: str
    score: float
    kind: gguf.TokenType


@dataclass(frozen=True)
class Vocabulary:
    """All tokens by their numbers, and the numbers of the special ones."""

    pieces: tuple[Piece, ...]
    bos: int
    eos: int
    unknown: int
    space_prefix: bool


def load_vocabulary(path: Path, size: int) -> Vocabulary:
    """Read a tokenizer.model, with the added_tokens.json beside it if there is one.

    Args:
        path: the SentencePiece model.
        size: rows of the embeddings; what the vocabulary lacks is padded with unused tokens.

    Raises:
        CheckpointError: if llama.cpp would tokenise otherwise, or there are more pieces than rows.
    """
    model = _read(path)
    pieces = [Piece(p.piece, p.score, gguf.TokenType(p.type)) for p in model.pieces]
    pieces += _added(path.with_name(ADDED), len(pieces), size)
    if len(pieces) > size:
        raise CheckpointError(
            f'{path} has {len(pieces)} pieces where the embeddings have {size} rows; '
            'take the tokenizer.model that belongs to the weights'
        )
    unused = gguf.TokenType.UNUSED
    pieces += [Piece(f'[PAD{i}]', ADDED_SCORE, unused) for i in range(len(pieces), size)]
    special = model.trainer_spec
    return Vocabulary(
        pieces=tuple(pieces),
        bos=special.bos_id,
        eos=special.eos_id,
        unknown=special.unk_id,
        space_prefix=model.normalizer_spec.add_dummy_prefix,
    )


def _read(path: Path) -> Any:
    model = proto.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise CheckpointError(f'{path} is no SentencePiece model: {error}') from error
    if model.trainer_spec.model_type != proto.TrainerSpec.BPE:
        raise CheckpointError(f'{path} is no BPE model; LLaMA vocabularies are')
    rules = model.normalizer_spec
    if rules.precompiled_charsmap or rules.remove_extra_whitespaces:
        raise CheckpointError(
            f'{path} normalises text ({rules.name}), which llama.cpp does not; '
            'LLaMA vocabularies leave it as it is'
        )
    return model


def _added(path: Path, first: int, size: int) -> list[Piece]:
    """Tokens that were added after the training of the vocabulary; no text ever becomes one.

    Those beyond the embeddings' rows are left out, as nothing was ever learnt about them.
    """
    if not path.is_file():
        return []
    try:
        numbers = json.loads(path.read_text(encoding='utf-8'))
        new = sorted((int(i), text) for text, i in numbers.items() if first <= i < size)
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f'{path} does not map tokens to numbers: {error}') from error
    if [i for i, _ in new] != list(range(first, first + len(new))):
        raise CheckpointError(f'{path} leaves out numbers after {first - 1}, the last piece')
    return [Piece(text, ADDED_SCORE, gguf.TokenType.CONTROL) for _, text in new]
