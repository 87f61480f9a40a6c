"""Nano's SentencePiece vocabulary, in LLaMA's manner: BPE, identity normaliser, byte fallback."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece


def train_tokenizer(texts: Iterable[str], size: int, path: Path) -> None:
    """Train on these texts and write the model file."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type='bpe',
        vocab_size=size,
        normalization_rule_name='identity',
        remove_extra_whitespaces=False,
        byte_fallback=True,
        split_digits=True,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())


def load_tokenizer(path: Path) -> sentencepiece.SentencePieceProcessor:
    """Read a model file."""
    return sentencepiece.SentencePieceProcessor(model_file=str(path))
