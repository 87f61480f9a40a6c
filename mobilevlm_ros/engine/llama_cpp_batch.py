"""Arrays for llama_decode, made once and filled for every call."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np

from mobilevlm_ros.engine.steps import Part
from mobilevlm_ros.engine.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Tokens or embeddings, where each belongs, and whose logits are wanted.

    Lists, since most calls have one token, for which an array takes longer to make than to decode
    takes to begin.
    """

    values: list[int] | Floats  # tokens, or float32 (n, width)
    sequences: list[tuple[int, ...]]  # that each belongs to
    positions: list[int]
    wanted: list[bool]  # its logits

    def __len__(self) -> int:
        return len(self.sequences)


def columns_of_parts(parts: Sequence[Part], lengths: Sequence[int]) -> Columns:
    """The parts one behind the other; `lengths` are those of all sequences."""
    columns = Columns([], [], [], [])
    assert isinstance(columns.values, list)
    ends: dict[int, int] = {}
    for part in parts:
        count, sequences = len(part.tokens), part.sequences
        start = ends.get(part.sequence, lengths[part.sequence])
        columns.values.extend(part.tokens)
        columns.sequences.extend([sequences] * count)
        columns.positions.extend(range(start, start + count))
        columns.wanted.extend([False] * (count - part.rows) + [True] * part.rows)
        ends.update(dict.fromkeys(sequences, start + count))
    return columns


def columns_of_embeddings(sequence: int, start: int, values: Floats) -> Columns:
    """Embeddings behind the first `start` tokens of a sequence; no logits are wanted."""
    count = len(values)
    positions = list(range(start, start + count))
    return Columns(values, [(sequence,)] * count, positions, [False] * count)


class Batch:
    """One llama_batch for tokens, one for embeddings, and what they point to."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tokens = np.zeros(limit, np.int32)
        self._positions = np.zeros(limit, np.int32)
        self._counts = np.zeros(limit, np.int32)  # sequences that each token belongs to
        self._ids = np.zeros(limit, np.int32)
        self._pointers = np.zeros(limit, np.uintp)  # to its first one
        self._wanted = np.zeros(limit, np.int8)
        self._text, self._image = self._batch(), self._batch()
        _point(self._text, 'token', self._tokens)

    def fill(self, columns: Columns, at: int) -> Any:
        """A llama_batch of as many values from `at` on as it holds; it borrows embeddings."""
        part = slice(at, at + self.limit)
        count = len(columns.sequences[part])
        self._positions[:count] = columns.positions[part]
        self._place(columns.sequences[part])
        self._wanted[:count] = columns.wanted[part]
        if isinstance(columns.values, list):
            batch = self._text
            self._tokens[:count] = columns.values[part]
        else:
            batch = self._image
            _point(batch, 'embd', columns.values[part])
        batch.n_tokens = count
        return batch

    def _place(self, owners: list[tuple[int, ...]]) -> None:
        """Say which sequences each token belongs to; tokens of the same ones share a list."""
        ids: list[int] = []
        places: dict[tuple[int, ...], int] = {}
        for owner in owners:
            if owner not in places:
                places[owner] = len(ids)
                ids.extend(owner)
        if len(ids) > len(self._ids):
            self._ids = np.zeros(2 * len(ids), np.int32)
        self._ids[: len(ids)] = ids
        start, size = self._ids.ctypes.data, self._ids.itemsize
        self._counts[: len(owners)] = [len(owner) for owner in owners]
        self._pointers[: len(owners)] = [start + size * places[owner] for owner in owners]

    def _batch(self) -> Any:
        batch = llama_cpp.llama_batch()
        _point(batch, 'pos', self._positions)
        _point(batch, 'n_seq_id', self._counts)
        _point(batch, 'seq_id', self._pointers)
        _point(batch, 'logits', self._wanted)
        return batch


def _point(batch: Any, name: str, array: Any) -> None:
    kind = type(getattr(batch, name))
    setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
