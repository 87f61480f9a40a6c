"""The language model in llama.cpp; the only module that imports llama_cpp.

llama.cpp aborts the process on some misuse, so every limit is checked before a call.
"""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilevlm_ros.engine.cpu import WITHOUT_AMX, has_amx, thread_count
from mobilevlm_ros.engine.errors import BackendError, BundleFileError, ClosedError
from mobilevlm_ros.engine.llm import check_append, check_copy, check_sequence
from mobilevlm_ros.engine.types import Floats

try:
    import llama_cpp
except (ImportError, OSError, RuntimeError) as error:
    raise BackendError(
        f'llama_cpp cannot be imported ({error}); run `pip install llama-cpp-python`'
    ) from error

_logger = logging.getLogger(__name__)
_LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR; all below is our debug
_BYTES_PER_THREAD = 64 << 20
_NO_ROOM = 1  # what llama_decode returns
_complaints: deque[str] = deque(maxlen=3)


@llama_cpp.llama_log_callback
def _log(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    message = text.decode(errors='replace').rstrip()
    if level == _LOG_ERROR:
        _complaints.append(message)
        _logger.error('%s', message)
    elif message.strip('.'):  # else it is a progress bar
        _logger.debug('%s', message)


llama_cpp.llama_log_set(_log, ctypes.c_void_p(0))


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
    ) -> None:
        """Load a GGUF file.

        Args:
            path: the file.
            context_length: most tokens of one sequence.
            cells: tokens in the cache, those that sequences share counted once.
            sequences: how many there are.
            batch_tokens: most tokens decoded in one call.
            threads: CPU threads; 0: as many as suit the size of the model.
        """
        self.context_length = context_length
        self.sequences = sequences
        self._model = _load_model(path)
        params = _context_params(cells, sequences, batch_tokens, _threads(path, threads))
        self._context = _create_context(self._model, params)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.width = int(llama_cpp.llama_model_n_embd_inp(self._model))
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.bos = int(llama_cpp.llama_vocab_bos(self._vocab))
        self._lengths = [0] * sequences
        limit = min(batch_tokens, int(llama_cpp.llama_n_batch(self._context)))
        self._batch = _Batch(limit)

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
        check_append(self, sequence, len(tokens))
        self._check_tokens(tokens)
        self._append(sequence, np.asarray(tokens, np.int32), logits=True)
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, (self.vocabulary,)).copy()

    def decode_embeddings(self, sequence: int, embeddings: Floats) -> None:
        """Append embeddings, float32 (n, width), in place of tokens."""
        if embeddings.ndim != 2 or embeddings.shape[1] != self.width:
            raise BackendError(
                f'embeddings should be of shape (n, {self.width}), found {embeddings.shape}'
            )
        check_append(self, sequence, len(embeddings))
        self._append(sequence, np.ascontiguousarray(embeddings, np.float32), logits=False)

    def copy(self, source: int, target: int) -> None:
        """Make an empty sequence begin as another one is now."""
        check_copy(self, source, target)
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._lengths[target] = self._lengths[source]

    def remove(self, sequence: int) -> None:
        """Empty the sequence."""
        check_sequence(self, sequence)
        if self._context:  # a stream may outlive it, and gives its sequence back all the same
            llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._lengths[sequence] = 0

    def close(self) -> None:
        """Free context and model."""
        context, self._context = self._context, None
        if context:
            llama_cpp.llama_free(context)
            llama_cpp.llama_model_free(self._model)

    def _append(self, sequence: int, values: Any, logits: bool) -> None:
        if not self._context:
            raise ClosedError('the language model was closed before the answer was complete')
        start = self._lengths[sequence]
        for at in range(0, len(values), self._batch.limit):
            part = values[at : at + self._batch.limit]
            last = logits and at + len(part) == len(values)
            batch = self._batch.fill(sequence, start + at, part, last)
            status = llama_cpp.llama_decode(self._context, batch)
            if status != 0:
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, start, -1)
                raise _decode_error(status, len(values))
        self._lengths[sequence] = start + len(values)

    def _check_tokens(self, tokens: Sequence[int]) -> None:
        if min(tokens) < 0 or max(tokens) >= self.vocabulary:
            raise BackendError(f'tokens must lie between 0 and {self.vocabulary - 1}')


class _Batch:
    """Arrays for llama_decode, made once and filled for every call."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._positions = np.zeros(limit, np.int32)
        self._counts = np.ones(limit, np.int32)  # sequences that each token belongs to
        self._ids = np.zeros(limit, np.int32)
        self._pointers = self._ids.ctypes.data + np.arange(limit, dtype=np.uintp) * 4
        self._logits = np.zeros(limit, np.int8)

    def fill(self, sequence: int, start: int, values: Any, last_logits: bool) -> Any:
        """A llama_batch of tokens (int32) or embeddings (float32); it borrows `values`."""
        count = len(values)
        self._positions[:count] = np.arange(start, start + count)
        self._ids[:count] = sequence
        self._logits[:count] = 0
        self._logits[count - 1] = last_logits
        batch = llama_cpp.llama_batch()
        batch.n_tokens = count
        for name, array in (
            ('token' if values.ndim == 1 else 'embd', values),
            ('pos', self._positions),
            ('n_seq_id', self._counts),
            ('seq_id', self._pointers),
            ('logits', self._logits),
        ):
            kind = type(getattr(batch, name))
            setattr(batch, name, ctypes.cast(array.ctypes.data, kind))
        return batch


def _load_model(path: Path) -> Any:
    try:
        with path.open('rb') as file:
            magic = file.read(4)
    except OSError as error:
        raise BundleFileError(f'{path} cannot be read: {error.strerror}') from error
    if magic != b'GGUF':
        raise BundleFileError(f'{path} is not a GGUF file; copy the bundle again')
    llama_cpp.llama_backend_init()
    _complaints.clear()
    params = llama_cpp.llama_model_default_params()
    if has_amx(llama_cpp.llama_print_system_info().decode()):
        params.use_extra_bufts = False
        _logger.warning(
            'this llama.cpp was built for AMX, where some compilers make it crash, so it runs '
            'without repacked weights; for full speed: %s pip install --no-cache-dir '
            '--force-reinstall llama-cpp-python',
            WITHOUT_AMX,
        )
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        raise BackendError(f'llama.cpp could not load {path}{_reasons()}')
    return model


def _create_context(model: Any, params: Any) -> Any:
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        llama_cpp.llama_model_free(model)
        raise BackendError(f'llama.cpp could not make a context{_reasons()}')
    return context


def _threads(path: Path, wanted: int) -> int:
    """Threads meet many times a token, which costs a small model more than they save."""
    return wanted or min(thread_count(0), 1 + path.stat().st_size // _BYTES_PER_THREAD)


def _context_params(cells: int, sequences: int, batch_tokens: int, threads: int) -> Any:
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = -(-cells // 256) * 256
    params.n_batch = params.n_ubatch = batch_tokens
    params.n_seq_max = sequences
    params.kv_unified = True  # without it a copied sequence would copy its data
    params.n_threads = params.n_threads_batch = threads
    return params


def _decode_error(status: int, count: int) -> BackendError:
    if status == _NO_ROOM:
        return BackendError(f'the KV cache has no room for {count} more tokens')
    return BackendError(f'llama_decode failed with status {status}{_reasons()}')


def _reasons() -> str:
    reasons = '; '.join(_complaints)
    _complaints.clear()
    return f': {reasons}' if reasons else ''
