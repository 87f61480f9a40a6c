"""The language model in llama.cpp.

llama.cpp aborts the process on some misuse, so every limit is checked before a call.
"""

from __future__ import annotations

import ctypes
import logging
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, chain
from pathlib import Path

import llama_cpp
import numpy as np

from mobilevlm_ros.engine.errors import BackendError, ClosedError
from mobilevlm_ros.engine.llama_cpp_batch import (
    Batch,
    Columns,
    columns_of_embeddings,
    columns_of_parts,
)
from mobilevlm_ros.engine.llama_cpp_library import (
    context_params,
    create_context,
    decode_error,
    head_size,
    load_model,
    offloaded,
    set_kv_type,
    suitable_threads,
)
from mobilevlm_ros.engine.llm import (
    check_append,
    check_copy,
    check_parts,
    check_truncate,
)
from mobilevlm_ros.engine.offload import ALL
from mobilevlm_ros.engine.steps import Part
from mobilevlm_ros.engine.types import Floats

_logger = logging.getLogger(__name__)


class LlamaCppLanguageModel:
    """One llama.cpp context whose sequences share a unified KV cache."""

    name = 'llama.cpp'

    def __init__(
        self,
        path: Path,
        *,
        context_length: int,
        cells: int,
        sequences: int,
        batch_tokens: int = 512,
        threads: int = 0,
        kv_type: str = 'f16',
        n_gpu_layers: int = ALL,
    ) -> None:
        """Load a GGUF file, and log how much of it lies on a GPU.

        Args:
            path: the file.
            context_length: most tokens of one sequence.
            cells: tokens in the cache, those that sequences share counted once.
            sequences: how many there are.
            batch_tokens: most tokens decoded in one call.
            threads: CPU threads; 0: as many as suit the size of the model.
            kv_type: of the cache, f16 or q8_0; falls back to f16 where the model forbids it.
            n_gpu_layers: layers on a GPU, if llama.cpp can use one; -1: all.
        """
        self.context_length = context_length
        self.sequences = sequences
        self._model = load_model(path, n_gpu_layers)
        self.placement = str(offloaded(self._model, n_gpu_layers))
        _logger.info('language model: %s', self.placement)
        params = context_params(cells, sequences, batch_tokens, suitable_threads(path, threads))
        self.kv_type = set_kv_type(params, kv_type, head_size(self._model))
        self.cells = int(params.n_ctx)
        self._context = create_context(self._model, params)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.width = int(llama_cpp.llama_model_n_embd_inp(self._model))
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.bos = int(llama_cpp.llama_vocab_bos(self._vocab))
        self.end = int(llama_cpp.llama_vocab_eos(self._vocab))
        self._lengths = [0] * sequences
        limit = min(batch_tokens, int(llama_cpp.llama_n_batch(self._context)))
        self._batch = Batch(limit)

    def tokenise(self, text: str) -> list[int]:
        """Turn text into tokens; special tokens are not recognised in it, nor added."""
        data = text.encode()
        room = 3 * (len(data) + 1)  # a space is put first; one may take three byte tokens
        tokens = (llama_cpp.llama_token * room)()
        count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, room, False, False)
        if count < 0:
            raise BackendError(f'llama.cpp could not tokenise {text[:40]!r}')
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of one token, perhaps a part of a character; none for special tokens."""
        self._check_tokens([token])
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    def length(self, sequence: int) -> int:
        """Tokens in the sequence."""
        return self._lengths[sequence]

    def decode(self, sequence: int, tokens: Sequence[int]) -> Floats:
        """Append tokens; returns the logits after the last, float32 (vocabulary,)."""
        logits: Floats = self.decode_parts([Part(sequence, tokens)])[0][0].copy()
        return logits

    def decode_parts(self, parts: Sequence[Part]) -> list[Floats]:
        """Append tokens to several sequences at once; returns the rows of logits of each.

        They are llama.cpp's own memory unless the parts take more than one batch.
        """
        check_parts(self, parts)
        for part in parts:
            self._check_tokens(part.tokens)
        rows = self._append(columns_of_parts(parts, self._lengths))
        ends = accumulate(part.rows for part in parts)
        return [rows[end - part.rows : end] for part, end in zip(parts, ends, strict=True)]

    def decode_embeddings(self, sequence: int, embeddings: Floats) -> None:
        """Append embeddings, float32 (n, width), in place of tokens."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.width:
            raise BackendError(
                f'embeddings should be of shape (n, {self.width}), found {embeddings.shape}'
            )
        check_append(self, sequence, len(embeddings))
        values = np.ascontiguousarray(embeddings, np.float32)
        self._append(columns_of_embeddings(sequence, self._lengths[sequence], values))

    def copy(self, source: int, target: int) -> None:
        """Make an empty sequence begin as another one is now."""
        check_copy(self, source, target)
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._lengths[target] = self._lengths[source]

    def truncate(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens of the sequence."""
        check_truncate(self, sequence, length)
        if self._context:  # a stream may outlive it, and gives its sequence back all the same
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, length, -1)
        self._lengths[sequence] = length

    def remove(self, sequence: int) -> None:
        """Empty the sequence."""
        self.truncate(sequence, 0)

    def close(self) -> None:
        """Free context and model."""
        context, self._context = self._context, None
        if context:
            llama_cpp.llama_free(context)
            llama_cpp.llama_model_free(self._model)

    def _append(self, columns: Columns) -> Floats:
        """Decode all columns; returns the logits that they want, or takes all of them back."""
        if not self._context:
            raise ClosedError('the language model was closed before the answer was complete')
        counts = Counter(chain.from_iterable(columns.sequences))
        steps = range(0, len(columns), self._batch.limit)
        try:
            rows = [self._decode_batch(columns, at, keep=len(steps) == 1) for at in steps]
        except Exception:
            for sequence in counts:
                kept = self._lengths[sequence]
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, kept, -1)
            raise
        for sequence, count in counts.items():
            self._lengths[sequence] += count
        return rows[0] if len(rows) == 1 else np.concatenate(rows)

    def _decode_batch(self, columns: Columns, at: int, keep: bool) -> Floats:
        """One call of llama_decode; `keep`: its logits are not overwritten by another one."""
        status = llama_cpp.llama_decode(self._context, self._batch.fill(columns, at))
        if status != 0:
            raise decode_error(status, len(columns))
        wanted = sum(columns.wanted[at : at + self._batch.limit])
        shape = (wanted, self.vocabulary)
        if not wanted:
            return np.empty(shape, np.float32)
        rows: Floats = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self._context), shape)
        return rows if keep else rows.copy()

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        if min(tokens) < 0 or max(tokens) >= self.vocabulary:
            raise BackendError(f'tokens must lie between 0 and {self.vocabulary - 1}')
