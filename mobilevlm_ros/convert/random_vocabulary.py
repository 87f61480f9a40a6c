"""A vocabulary of LLaMA's kind and size without LLaMA's data: made of letters, not of texts.

It has the same special tokens, byte fallback and merging. English takes about as many tokens as
letters divided by three; a trained vocabulary needs fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

from sentencepiece import sentencepiece_model_pb2 as proto

SPACE = '▁'
SPECIAL = {'<unk>': 'UNKNOWN', '<s>': 'CONTROL', '</s>': 'CONTROL'}
FREQUENT = 'etaoinshrdlcumwfgypbvkjxqz'  # letters of English, the most frequent ones first
CHARACTERS = ''.join(map(chr, range(0x21, 0x7F)))  # ASCII that can be seen


def write_random_vocabulary(path: Path, size: int) -> None:
    """Write a SentencePiece model of `size` pieces, always the same."""
    model = proto.ModelProto()
    kinds = proto.ModelProto.SentencePiece
    for text, kind in SPECIAL.items():
        model.pieces.add(piece=text, score=0, type=kinds.Type.Value(kind))
    for byte in range(256):
        model.pieces.add(piece=f'<0x{byte:02X}>', score=0, type=kinds.BYTE)
    letters = [SPACE, *CHARACTERS]
    room = size - len(model.pieces) - len(letters)
    for rank, text in enumerate([*islice(_merged(), room), *letters]):
        model.pieces.add(piece=text, score=-rank, type=kinds.NORMAL)
    _describe(model, len(model.pieces))
    path.write_bytes(model.SerializeToString(deterministic=True))


def _merged() -> Iterator[str]:
    """Pieces of two and more letters; each can be merged from ones that come before it."""
    for length in range(2, 5):
        yield from (SPACE + ''.join(letters) for letters in product(FREQUENT, repeat=length - 1))
        yield from (''.join(letters) for letters in product(FREQUENT, repeat=length))


def _describe(model: proto.ModelProto, size: int) -> None:
    training, rules = model.trainer_spec, model.normalizer_spec
    training.model_type = proto.TrainerSpec.BPE
    training.vocab_size = size
    training.byte_fallback = True
    training.unk_id, training.bos_id, training.eos_id, training.pad_id = 0, 1, 2, -1
    rules.name = 'identity'
    rules.add_dummy_prefix = True
    rules.remove_extra_whitespaces = False
    rules.escape_whitespaces = True
