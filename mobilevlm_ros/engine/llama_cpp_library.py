"""llama.cpp's library: its log, and loading of models and contexts.

Beside the modules that are named after llama_cpp none imports it.
"""

from __future__ import annotations

import ctypes
import logging
from collections import deque
from pathlib import Path
from typing import Any

from mobilevlm_ros.engine.cpu import WITHOUT_AMX, has_amx, thread_count
from mobilevlm_ros.engine.errors import BackendError, BundleFileError
from mobilevlm_ros.engine.interrupts import interrupts_later
from mobilevlm_ros.engine.llama_cpp_version import OLDEST, check_version
from mobilevlm_ros.engine.offload import ALL, Offload, offload

try:
    import llama_cpp
except (ImportError, OSError, RuntimeError) as error:
    raise BackendError(
        f'llama_cpp cannot be imported ({error}); run '
        f"`pip install 'llama-cpp-python>={OLDEST}'`"
    ) from error
check_version(llama_cpp.__version__)

_logger = logging.getLogger(__name__)
_LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR; all below is our debug
_BYTES_PER_THREAD = 64 << 20
_KV_BLOCK = 32
NO_ROOM = 1  # what llama_decode returns
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


def load_model(path: Path, n_gpu_layers: int = ALL) -> Any:
    """Load a GGUF file, or say what is wrong with it; so many layers on a GPU, if there is one."""
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
    params.n_gpu_layers = n_gpu_layers
    if has_amx(llama_cpp.llama_print_system_info().decode()):
        params.use_extra_bufts = False
        _logger.warning(
            'this llama.cpp was built for AMX, where some compilers make it crash, so it runs '
            'without repacked weights; for full speed: %s pip install --no-cache-dir '
            '--force-reinstall llama-cpp-python',
            WITHOUT_AMX,
        )
    with interrupts_later():
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not model:
        advice = '; lower n_gpu_layers if the GPU has too little memory' if _has_gpu() else ''
        raise BackendError(f'llama.cpp could not load {path}{_reasons()}{advice}')
    return model


def offloaded(model: Any, n_gpu_layers: int) -> Offload:
    """How much of a model that was loaded so lies on a GPU."""
    info = llama_cpp.llama_print_system_info().decode()
    return offload(n_gpu_layers, llama_cpp.llama_model_n_layer(model), _has_gpu(), info)


def _has_gpu() -> bool:
    return bool(llama_cpp.llama_supports_gpu_offload())


def create_context(model: Any, params: Any) -> Any:
    """A context of the model, which is freed if there cannot be one."""
    with interrupts_later():
        context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        llama_cpp.llama_model_free(model)
        raise BackendError(f'llama.cpp could not make a context{_reasons()}')
    return context


def suitable_threads(path: Path, wanted: int) -> int:
    """Threads meet many times a token, which costs a small model more than they save."""
    return wanted or min(thread_count(0), 1 + path.stat().st_size // _BYTES_PER_THREAD)


def context_params(cells: int, sequences: int, batch_tokens: int, threads: int) -> Any:
    """Parameters of a context whose sequences share one cache of so many cells."""
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = -(-cells // 256) * 256
    # Room for a token of each sequence: llama.cpp ends the process where there is less.
    params.n_batch = params.n_ubatch = max(batch_tokens, sequences)
    params.n_seq_max = sequences
    params.kv_unified = True  # without it a copied sequence would copy its data
    params.n_threads = params.n_threads_batch = threads
    return params


def head_size(model: Any) -> int:
    """Values of one attention head."""
    return int(llama_cpp.llama_model_n_embd(model) // llama_cpp.llama_model_n_head(model))


def set_kv_type(params: Any, wanted: str, head: int) -> str:
    """Set the type of the KV cache of a model whose heads have so many values; returns its type.

    llama.cpp quantises it in blocks of 32 values along a head (ggml-common.h, QK8_0), and the
    values only under flash attention.
    """
    if wanted != 'q8_0':
        return 'f16'
    if head % _KV_BLOCK:
        _logger.warning(
            'the KV cache is f16 and not q8_0, which needs heads of a multiple of %d values; '
            'those of this model have %d',
            _KV_BLOCK,
            head,
        )
        return 'f16'
    params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.type_k = params.type_v = llama_cpp.GGML_TYPE_Q8_0
    return 'q8_0'


def decode_error(status: int, count: int) -> BackendError:
    """What a status of llama_decode other than zero means."""
    if status == NO_ROOM:
        return BackendError(f'the KV cache has no room for {count} more tokens')
    return BackendError(f'llama_decode failed with status {status}{_reasons()}')


def _reasons() -> str:
    reasons = '; '.join(_complaints)
    _complaints.clear()
    return f': {reasons}' if reasons else ''
