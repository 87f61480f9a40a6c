"""Proof of the vocabulary: llama.cpp's tokens against the sentencepiece library's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import sentencepiece

from mobilevlm_ros.convert.nasty_texts import nasty_texts
from mobilevlm_ros.convert.verify_report import Measure, Row

RANDOM_TEXTS = 500


def verify_tokenizer(
    tokenise: Callable[[str], Sequence[int]],
    vocabulary: Path,
    own_texts: Iterable[str] = (),
    random_texts: int = RANDOM_TEXTS,
) -> Row:
    """Compare token by token.

    Args:
        tokenise: llama.cpp's, over the bundle's GGUF file.
        vocabulary: the source's SentencePiece model.
        own_texts: what the bundle itself says, such as its prompt.
        random_texts: how many random texts to add to the fixed ones.
    """
    reference = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary))
    texts = [*own_texts, *nasty_texts(random_texts)]
    expected = [reference.encode(text) for text in texts]
    wrong = [t for t, tokens in zip(texts, expected, strict=True) if list(tokenise(t)) != tokens]
    return Row(
        'tokenizer',
        'llama.cpp, sentencepiece',
        f'{len(texts)} texts, {sum(map(len, expected))} tokens',
        (Measure('texts that differ', len(wrong), most=0),),
        f'the first that differs: {wrong[0][:60]!r}' if wrong else '',
    )
