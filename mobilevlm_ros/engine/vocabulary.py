"""The bytes of every token of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.llm import LanguageModel


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What each token writes, and which of them end an answer."""

    pieces: Sequence[bytes]  # empty: a token that writes nothing
    ends: NDArray[np.bool_]  # (vocabulary,)

    @cached_property
    def first_bytes(self) -> NDArray[np.int16]:
        """The first byte of each piece, int16 (vocabulary,); -1 where there is none."""
        return np.array([piece[0] if piece else -1 for piece in self.pieces], np.int16)

    @cached_property
    def _tokens(self) -> dict[bytes, int]:
        return {piece: token for token, piece in enumerate(self.pieces) if piece}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._tokens), default=0)

    @cached_property
    def end(self) -> int:
        """A token that ends an answer."""
        return int(np.argmax(self.ends))

    def spell(self, text: bytes) -> list[int]:
        """Tokens that write exactly this, the longest first."""
        tokens: list[int] = []
        while text:
            size = min(self._longest, len(text))
            while size and text[:size] not in self._tokens:
                size -= 1
            if not size:
                raise BackendError(f'no token of this model writes the byte {text[0]:#04x}')
            tokens.append(self._tokens[text[:size]])
            text = text[size:]
        return tokens


def read_vocabulary(llm: LanguageModel) -> Vocabulary:
    """All tokens of the model; takes a moment, so keep it."""
    tokens = range(llm.vocabulary)
    return Vocabulary(
        [llm.piece(token) for token in tokens],
        np.array([llm.is_end(token) for token in tokens], np.bool_),
    )
