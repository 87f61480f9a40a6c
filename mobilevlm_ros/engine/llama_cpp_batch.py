"""Arrays for llama_decode, made once and filled for every call."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.steps import Part


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Tokens or embeddings, where each belongs, and whose logits are wanted."""

    values: NDArray[Any]  # int32 (n,) or float32 (n, width)
    sequences: NDArray[np.int32]
    positions: NDArray[np.int32]
    wanted: NDArray[np.int8]  # 1: its logits

    def __len__(self) -> int:
        return len(self.values)


def columns_of_parts(parts: Sequence[Part], lengths: Mapping[int, int]) -> Columns:
    """The parts one behind the other; `lengths` are those of their sequences."""
    sizes = [len(part.tokens) for part in parts]
    sequences = np.repeat(np.array([part.sequence for part in parts], np.int32), sizes)
    offsets = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    starts = np.repeat(np.array([lengths[p.sequence] for p in parts], np.int32), sizes)
    unwanted = np.repeat([len(part.tokens) - part.rows for part in parts], sizes)
    return Columns(
        np.concatenate([np.asarray(part.tokens, np.int32) for part in parts]),
        sequences,
        starts + offsets,
        (offsets >= unwanted).astype(np.int8),
    )


def columns_of_embeddings(sequence: int, start: int, values: NDArray[np.float32]) -> Columns:
    """Embeddings behind the first `start` tokens of a sequence; no logits are wanted."""
    count = len(values)
    return Columns(
        values,
        np.full(count, sequence, np.int32),
        np.arange(start, start + count, dtype=np.int32),
        np.zeros(count, np.int8),
    )


class Batch:
    """One llama_batch and what it points to."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._positions = np.zeros(limit, np.int32)
        self._counts = np.ones(limit, np.int32)  # sequences that each token belongs to
        self._ids = np.zeros(limit, np.int32)
        self._pointers = self._ids.ctypes.data + np.arange(limit, dtype=np.uintp) * 4
        self._wanted = np.zeros(limit, np.int8)

    def fill(self, columns: Columns, at: int) -> Any:
        """A llama_batch of as many values from `at` on as it holds; it borrows them."""
        part = slice(at, at + self.limit)
        values = columns.values[part]
        count = len(values)
        self._positions[:count] = columns.positions[part]
        self._ids[:count] = columns.sequences[part]
        self._wanted[:count] = columns.wanted[part]
        batch = llama_cpp.llama_batch()
        batch.n_tokens = count
        for name, array in (
            ('token' if values.ndim == 1 else 'embd', values),
            ('pos', self._positions),
            ('n_seq_id', self._counts),
            ('seq_id', self._pointers),
            ('logits', self._wanted),
        ):
            kind = type(getattr(batch, name))
            setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
        return batch
