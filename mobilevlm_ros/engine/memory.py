"""Memory: what is free, and what building and running a TensorRT engine is estimated to take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mobilevlm_ros.engine.cuda import Cuda
from mobilevlm_ros.engine.errors import MemoryShortError

MEMINFO = Path('/proc/meminfo')
SMALL_BOARD = 9 << 30  # bytes that a board sold as having 8 GB stays below
CONTEXT = 512 << 20  # CUDA context and kernels of TensorRT
ADVICE = (
    'close other programs (the desktop too: `sudo systemctl isolate multi-user.target`), add '
    'swap, or try again after a reboot, which undoes the fragmentation of memory'
)
SMALL_ADVICE = (
    'on an 8 GB board build before anything loads the language model, and give TensorRT less '
    'with --workspace 512'
)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that are estimated, not measured: no device was at hand to measure on."""

    build: int
    run: int


def estimate(onnx_bytes: int, workspace_bytes: int) -> Need:
    """What an engine from an ONNX file of this size takes.

    While building, the parser, the network, the builder and the plan hold a copy of the weights
    each; while running, the engine holds one, and its activations are put at half of that.
    """
    return Need(
        build=4 * onnx_bytes + workspace_bytes + CONTEXT,
        run=onnx_bytes + onnx_bytes // 2 + CONTEXT,
    )


def free_memory(cuda: Cuda, meminfo: Path = MEMINFO) -> int:
    """Bytes that the device may take.

    Where it shares memory with the CPU that is what Linux calls available: CUDA counts pages
    that merely cache files as taken.
    """
    return read_meminfo('MemAvailable', meminfo) if cuda.integrated else cuda.free_memory()


def check_memory(need: Need, free: int, total: int) -> None:
    """Raise unless so much is free as the build needs."""
    if free < need.build:
        advice = f'{ADVICE}; {SMALL_ADVICE}' if total < SMALL_BOARD else ADVICE
        raise MemoryShortError(
            f'{_gib(free)} of memory are free where building is estimated to take '
            f'{_gib(need.build)}: {advice}; --no-preflight tries all the same'
        )


def read_meminfo(name: str, meminfo: Path = MEMINFO) -> int:
    """One of Linux's memory counters in bytes; zero if it is not there."""
    found = re.search(rf'^{name}:\s+(\d+) kB', meminfo.read_text(encoding='utf-8'), re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def _gib(size: int) -> str:
    return f'{size / 2**30:.1f} GiB'
