"""Answers that fit a JSON schema, whatever the model would rather say and wherever it is cut.

A token that the sampler draws is tried on the grammar alone; only when it does not fit are the
others looked at. A token is taken only if the document can still be closed within the tokens
that are left then. So there is a valid document at any time: what is written and its closing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.errors import QuestionError
from mobilevlm_ros.engine.grammar import Expression
from mobilevlm_ros.engine.sampling import Sampler
from mobilevlm_ros.engine.schema import parse_schema
from mobilevlm_ros.engine.types import Floats
from mobilevlm_ros.engine.vocabulary import Vocabulary


class Constraint:
    """The grammar of one answer, and how far the answer has come."""

    def __init__(self, grammar: Expression, vocabulary: Vocabulary, max_tokens: int) -> None:
        self._rest = grammar
        self._vocabulary = vocabulary
        self._left = max_tokens
        self.finish_reason = ''  # stop: the document is complete; length: it has to be closed now
        needed = self._cost(grammar)
        if needed > max_tokens:
            raise QuestionError(
                f'max_tokens is {max_tokens}; the shortest answer that fits the json_schema takes '
                f'{needed} tokens: raise max_tokens to that at least'
            )

    def choose(self, logits: Floats, sampler: Sampler) -> int:
        """The token that the sampler draws among those that fit; an end token where one may come.

        Args:
            logits: float32 (vocabulary,); not changed.
            sampler: called once or more.
        """
        token = self._draw(logits, sampler)
        if token >= 0 and self._vocabulary.ends[token]:
            return token
        after = self._after(token) if token >= 0 else None
        if after is None or self._cost(after) >= self._left:
            return self._cut()
        self._take(after)
        if after.accepts and not after.firsts():
            self.finish_reason = 'stop'
        return token

    def close(self) -> list[int]:
        """The fewest tokens that complete the document, none if it is complete; ends it."""
        tokens = self._vocabulary.spell(self._rest.closing())
        for token in tokens:
            self._advance(token)
        return tokens

    def _draw(self, logits: Floats, sampler: Sampler) -> int:
        """A token that fits, or -1 if none has a chance.

        To draw again without what did not fit gives each of the others its share.
        """
        token = sampler(logits)
        if self._fits(token):
            return token
        masked = np.where(self._possible(), logits, np.float32(-np.inf))
        masked[token] = -np.inf
        while np.isfinite(masked.max()):
            token = sampler(masked)
            if self._fits(token):
                return token
            masked[token] = -np.inf
        return -1

    def _possible(self) -> NDArray[np.bool_]:
        """The tokens whose first byte fits, bool (vocabulary,)."""
        allowed = np.zeros(257, np.bool_)  # the last: of tokens without a byte, whose first is -1
        allowed[list(self._rest.firsts())] = True
        possible: NDArray[np.bool_] = allowed[self._vocabulary.first_bytes]
        return possible | self._vocabulary.ends if self._rest.accepts else possible

    def _fits(self, token: int) -> bool:
        if self._vocabulary.ends[token]:
            return self._rest.accepts
        return self._after(token) is not None

    def _after(self, token: int) -> Expression | None:
        """What may follow the token; None if it does not fit."""
        piece = self._vocabulary.pieces[token]
        rest: Expression | None = self._rest if piece else None
        for byte in piece:
            if rest is None:
                break
            rest = rest.step(byte)
        return rest

    def _cost(self, rest: Expression) -> int:
        """Tokens that close the document."""
        return len(self._vocabulary.spell(rest.closing()))

    def _cut(self) -> int:
        """Begin to close the document."""
        self.finish_reason = 'length'
        closing = self._vocabulary.spell(self._rest.closing())
        return self._advance(closing[0]) if closing else self._vocabulary.end

    def _advance(self, token: int) -> int:
        after = self._after(token)
        assert after is not None, 'a closing fits'
        self._take(after)
        return token

    def _take(self, after: Expression) -> None:
        self._rest = after
        self._left -= 1


def create_constraint(json_schema: str, vocabulary: Vocabulary, max_tokens: int) -> Constraint:
    """The constraint of one answer.

    Raises:
        QuestionError: if the schema is not served, or no document that fits it can be written
            with so many tokens.
    """
    return Constraint(parse_schema(json_schema), vocabulary, max_tokens)
