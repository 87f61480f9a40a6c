"""One step of a task, decoded portion by portion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilevlm_ros.engine.steps import Embeddings, Logits, Part
from mobilevlm_ros.engine.types import Floats


class PendingParts:
    """What of a step of parts is still to be decoded, and the rows of logits that it has."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._at = 0  # the first part that is not decoded whole
        self._offset = 0  # tokens of it that are
        self._rows: list[list[Floats]] = [[] for _ in parts]
        self.remaining = sum(len(part.tokens) for part in parts)

    @property
    def done(self) -> bool:
        """Whether all is decoded."""
        return not self.remaining

    def next(self, most: int) -> list[Part]:
        """What to decode next, of up to so many tokens."""
        found: list[Part] = []
        offset = self._offset
        for part in self._parts[self._at :]:
            if most <= 0:
                break
            found.append(_slice(part, offset, offset + most))
            most -= len(found[-1].tokens)
            offset = 0
        return found

    def take(self, decoded: Sequence[Part], logits: Logits) -> None:
        """Take in what came of what `next` gave."""
        self.remaining -= sum(len(portion.tokens) for portion in decoded)
        for portion, rows in zip(decoded, logits, strict=True):
            # The next decode overwrites them, and there will be one before the task sees them.
            self._rows[self._at].append(rows if self.done else rows.copy())
            self._offset += len(portion.tokens)
            if self._offset == len(self._parts[self._at].tokens):
                self._at, self._offset = self._at + 1, 0

    def logits(self) -> Logits:
        """The rows of each part."""
        return [rows[0] if len(rows) == 1 else np.concatenate(rows) for rows in self._rows]


class PendingEmbeddings:
    """What of a step of embeddings is still to be decoded."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._at = 0

    @property
    def remaining(self) -> int:
        """Embeddings to come."""
        return len(self._embeddings.values) - self._at

    @property
    def done(self) -> bool:
        """Whether all is decoded."""
        return not self.remaining

    def next(self, most: int) -> Embeddings:
        """What to decode next, of up to so many embeddings."""
        values = self._embeddings.values[self._at : self._at + most]
        return Embeddings(self._embeddings.sequence, values)

    def take(self, decoded: Embeddings) -> None:
        """Take in that this is decoded."""
        self._at += len(decoded.values)


def _slice(part: Part, begin: int, end: int) -> Part:
    """Some tokens of a part, and the rows wanted among them: those after its last tokens."""
    size = len(part.tokens)
    if begin == 0 and end >= size:
        return part
    end = min(end, size)
    rows = max(0, end - max(begin, size - part.rows))
    return Part(part.sequence, part.tokens[begin:end], rows, part.also)
