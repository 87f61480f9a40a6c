"""The memory that a model will take, known before it is loaded.

Sizes come from the model's own files. What is not in them is estimated, and `mobilevlm bench
--memory` compares the plan with what a process that loads and asks does take.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import MemoryShortError
from mobilevlm_ros.engine.gguf_header import GgufHeader, read_gguf_header
from mobilevlm_ros.engine.llm import context_length, shared_cells
from mobilevlm_ros.engine.memory import MEMINFO, estimate, read_meminfo
from mobilevlm_ros.engine.selection import Machine, select_encoder

# ggml's types that llama.cpp rearranges for its CPU kernels into memory of its own: Q4_0, Q4_K.
# The file's pages with the same tensors are then no longer needed.
REPACKED = frozenset({2, 12})
LOOKED_UP = 'token_embd'  # no matrix product, so it stays as it is
KV_BYTES = {'f16': 2.0, 'q8_0': 34 / 32}  # of one value
Q8_BLOCK = 32  # values; a head that these do not divide stays f16
CELLS = 256  # llama.cpp rounds up to so many
EXPANDED = {'fp16': 2}  # ONNX Runtime computes in float32 on a CPU
FLOAT32 = {'int8': 4, 'fp16': 2, 'fp32': 1}  # times the file: its weights in float32
ACTIVATIONS = 0.1  # of the weights in float32: measured for CLIP ViT-L/14 at 336 pixels
RUNTIME = 40_000_000  # bytes of stacks, heaps and code that both libraries touch once they run


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes of each part, over what the process has before it loads anything."""

    parts: Mapping[str, int]
    dropped: int = 0  # bytes of llm.gguf that the kernel may take back

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts.values())


def plan_memory(
    bundle: Bundle, config: EngineConfig, machine: Machine | None = None
) -> MemoryPlan:
    """What opening an engine with this config will take; fakes take nothing."""
    parts = {'runtime': RUNTIME, **_encoder(bundle, config, machine)}
    if config.llm == 'fake':
        return MemoryPlan(parts)
    header = read_gguf_header(bundle.backend_file('llama_cpp'))
    language, dropped = _language(header, bundle, config)
    return MemoryPlan({**parts, **language}, dropped)


def check_budget(plan: MemoryPlan, meminfo: Path = MEMINFO) -> None:
    """Raise MemoryShortError unless so much memory is free; silent where Linux does not tell."""
    free = read_meminfo('MemAvailable', meminfo) if meminfo.exists() else 0
    if free and free < plan.total:
        raise MemoryShortError(
            f'{free / 1e6:.0f} MB of memory are free where {plan.total / 1e6:.0f} are needed '
            f'({describe(plan)}): close other programs, lower context_length or held_frames, '
            'or convert a smaller model'
        )


def describe(plan: MemoryPlan) -> str:
    """The parts, the largest first: `KV cache 553 MB, ...`."""
    order = sorted(plan.parts.items(), key=lambda part: -part[1])
    return ', '.join(f'{name} {size / 1e6:.0f} MB' for name, size in order)


def release_freed_memory() -> None:
    """Give the system back what loading has freed: glibc keeps hundreds of MB otherwise."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim:
        trim(0)


def _encoder(bundle: Bundle, config: EngineConfig, machine: Machine | None) -> dict[str, int]:
    if config.encoder == 'fake':
        return {}
    chosen = select_encoder(bundle, config, machine or Machine())
    size = chosen.path.stat().st_size
    if chosen.backend == 'tensorrt':
        return {'vision encoder': estimate(size, 0).run}
    activations = int(ACTIVATIONS * FLOAT32[chosen.precision] * size)
    weights = EXPANDED.get(chosen.precision, 1) * size
    return {'vision encoder': weights, 'its activations': activations}


def _language(
    header: GgufHeader, bundle: Bundle, config: EngineConfig
) -> tuple[dict[str, int], int]:
    """Weights, KV cache and compute buffer; and how much of the file is rearranged."""
    weights = sum(tensor.bytes for tensor in header.tensors)
    moved = sum(
        tensor.bytes
        for tensor in header.tensors
        if tensor.kind in REPACKED and not tensor.name.startswith(LOOKED_UP)
    )
    parts = {
        'language model': weights,
        'KV cache': _kv_cache(header, bundle, config),
        'its compute buffer': _compute_buffer(header, config),
    }
    return parts, moved


def _kv_cache(header: GgufHeader, bundle: Bundle, config: EngineConfig) -> int:
    """Cells x layers x KV heads x head size x keys and values x bytes."""
    wanted = context_length(bundle, config) + shared_cells(bundle, config)
    cells = -(-wanted // CELLS) * CELLS
    size = header.size('embedding_length') // header.size('attention.head_count')
    kind = config.kv_type if size % Q8_BLOCK == 0 else 'f16'
    values = cells * header.size('block_count') * header.size('attention.head_count_kv') * size * 2
    return int(values * KV_BYTES[kind])


def _compute_buffer(header: GgufHeader, config: EngineConfig) -> int:
    """Of a whole batch: logits, and a layer's input and output."""
    values = header.size('vocab_size') + 2 * header.size('embedding_length')
    return config.batch_tokens * values * 4
