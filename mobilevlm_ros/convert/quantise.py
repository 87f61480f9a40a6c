"""A GGUF file to any type that llama.cpp offers, by llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
from tqdm import tqdm

from mobilevlm_ros.engine.cpu import thread_count
from mobilevlm_ros.engine.errors import BackendError, ConfigError

PREFIX = 'LLAMA_FTYPE_MOSTLY_'
MOST_BYTES = 1 << 30  # of one tensor in memory at a time
LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR
STEP = re.compile(r'\[\s*(\d+)/\s*(\d+)\]')  # how the quantiser counts tensors


def quantisation_types() -> list[str]:
    """The names of all types, as llama.cpp has them: Q4_K_M, Q8_0 and so on."""
    return sorted(name.removeprefix(PREFIX) for name in dir(llama_cpp) if name.startswith(PREFIX))


def check_type(name: str) -> None:
    """Raise ConfigError if llama.cpp has no type of that name."""
    if name not in quantisation_types():
        raise ConfigError(
            f'{name} is no quantisation of llama.cpp; choose one of '
            f'{", ".join(quantisation_types())}'
        )


def quantise_llama(source: Path, target: Path, name: str, threads: int = 0) -> None:
    """Write the GGUF file `source`, of float16 or float32, as `target` in the named type.

    Raises:
        ConfigError: if there is no such type.
        BackendError: with llama.cpp's reason, such as an importance matrix that the smallest
            types need and that this does not make.
    """
    check_type(name)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, PREFIX + name)
    params.nthread = thread_count(threads)
    if hasattr(params, 'max_buf_size'):  # which older llama-cpp-python lacks
        params.max_buf_size = MOST_BYTES
    with _progress(f'language model, {name}') as complaints:
        failed = llama_cpp.llama_model_quantize(
            str(source).encode(), str(target).encode(), ctypes.byref(params)
        )
    if failed:
        reasons = ' '.join(' '.join(complaints).split()) or 'without a reason'
        raise BackendError(f'llama.cpp could not quantise {source} to {name}: {reasons}')


@contextmanager
def _progress(title: str) -> Iterator[list[str]]:
    """Turn llama.cpp's log into a progress bar; yields what it complains of."""
    complaints: list[str] = []
    bar = tqdm(desc=title, unit='tensor')

    @llama_cpp.llama_log_callback
    def log(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        line = text.decode(errors='replace')
        if level == LOG_ERROR:
            complaints.append(line)
        elif found := STEP.match(line):
            bar.total = int(found[2])
            bar.update(int(found[1]) - bar.n)

    before, data = llama_cpp.llama_log_callback(), ctypes.c_void_p()
    llama_cpp.llama_log_get(ctypes.byref(before), ctypes.byref(data))
    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    try:
        yield complaints
    finally:
        llama_cpp.llama_log_set(before, data)
        bar.close()
