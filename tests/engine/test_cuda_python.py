"""Over a runtime whose device is the host; and the names and errors of the real bindings."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.engine.cuda_python import MODULES, CudaPython

CALLS = (
    'cudaDeviceGetAttribute', 'cudaFree', 'cudaFreeHost', 'cudaGetErrorString', 'cudaHostAlloc',
    'cudaMalloc', 'cudaMemGetInfo', 'cudaMemcpyAsync', 'cudaSetDevice',
    'cudaStreamCreateWithFlags', 'cudaStreamDestroy', 'cudaStreamSynchronize',
    'cudaStreamNonBlocking',
)  # fmt: skip
ATTRIBUTES = ('ComputeCapabilityMajor', 'ComputeCapabilityMinor', 'Integrated')
KINDS = ('cudaMemcpyHostToDevice', 'cudaMemcpyDeviceToHost')
OK, STREAM = 0, 99


class HostRuntime:
    """Allocates with numpy and copies at once; counts what was not freed.

    A call whose name is `failing` fails.
    """

    def __init__(self, failing: str = '') -> None:
        self.blocks: dict[int, object] = {}
        self.failing = failing
        self.calls: dict[str, Callable[..., tuple[Any, ...]]] = {
            'cudaSetDevice': lambda device: (OK,),
            'cudaDeviceGetAttribute': lambda name, device: (OK, {1: 8, 2: 7, 3: 1}[name]),
            'cudaMemGetInfo': lambda: (OK, 1000, 2000),
            'cudaGetErrorString': lambda error: (OK, b'out of memory'),
            'cudaStreamCreateWithFlags': self.create_stream,
            'cudaStreamDestroy': self.free,
            'cudaStreamSynchronize': lambda stream: (OK,),
            'cudaMalloc': self.allocate,
            'cudaFree': self.free,
            'cudaHostAlloc': lambda size, flags: self.allocate(size),
            'cudaFreeHost': self.free,
            'cudaMemcpyAsync': self.copy,
        }
        self.constants = {
            'cudaDeviceAttr': IntEnum('A', [f'cudaDevAttr{name}' for name in ATTRIBUTES]),
            'cudaMemcpyKind': IntEnum('K', KINDS),
            'cudaStreamNonBlocking': 1,
        }

    def __getattr__(self, name: str) -> Any:
        if name == self.failing:
            return lambda *_: (2, None)
        return self.calls.get(name) or self.constants[name]

    def create_stream(self, flags: int) -> tuple[int, int]:
        assert flags == 1
        self.blocks[STREAM] = 'stream'
        return OK, STREAM

    def allocate(self, size: int) -> tuple[int, int]:
        block = np.zeros(size, np.uint8)
        self.blocks[block.ctypes.data] = block
        return OK, block.ctypes.data

    def free(self, address: int) -> tuple[int]:
        del self.blocks[address]
        return (OK,)

    def copy(self, target: int, source: int, size: int, kind: int, stream: int) -> tuple[int]:
        assert stream == STREAM
        ctypes.memmove(target, source, size)
        return (OK,)


def test_the_device_is_described() -> None:
    cuda = CudaPython(HostRuntime())
    assert (cuda.sm, cuda.integrated, cuda.free_memory()) == ('87', True, 1000)


def test_what_goes_up_comes_down() -> None:
    runtime = HostRuntime()
    buffers = CudaPython(runtime).allocate((3, 2), (3, 4))
    buffers.pinned_input[:] = [[1, 2], [3, 4], [5, 6]]
    buffers.upload(2)
    device = np.ctypeslib.as_array((ctypes.c_float * 6).from_address(buffers.input_address))
    assert device.tolist() == [1, 2, 3, 4, 0, 0]
    output = np.ctypeslib.as_array((ctypes.c_float * 12).from_address(buffers.output_address))
    output[:] = range(12)
    buffers.download(1)
    assert buffers.pinned_output.tolist() == [[0, 1, 2, 3], [0] * 4, [0] * 4]


def test_closing_frees_everything() -> None:
    runtime = HostRuntime()
    buffers = CudaPython(runtime).allocate((1, 2), (1, 4))
    assert len(runtime.blocks) == 5
    buffers.close()
    assert runtime.blocks == {}


def test_what_was_allocated_before_a_failure_is_freed() -> None:
    runtime = HostRuntime(failing='cudaMalloc')
    cuda = CudaPython(runtime)
    with pytest.raises(BackendError, match='cudaMalloc failed: out of memory'):
        cuda.allocate((1, 2), (1, 4))
    assert runtime.blocks == {}


@pytest.fixture(params=MODULES)
def bindings(request: pytest.FixtureRequest) -> Any:
    """cuda-python as it is installed; it needs no driver to be imported."""
    return pytest.importorskip(request.param, exc_type=ImportError)


def test_the_bindings_have_every_name(bindings: Any) -> None:
    assert [name for name in CALLS if not hasattr(bindings, name)] == []
    for name in ATTRIBUTES:
        assert hasattr(bindings.cudaDeviceAttr, f'cudaDevAttr{name}')
    assert [kind for kind in KINDS if not hasattr(bindings.cudaMemcpyKind, kind)] == []


@pytest.mark.skipif(Path('/dev/nvidiactl').exists(), reason='there may be a CUDA device')
def test_errors_of_the_bindings_become_ours(bindings: Any) -> None:
    with pytest.raises(BackendError, match='cuda-python: cudaSetDevice failed: '):
        CudaPython(bindings)


def test_without_bindings_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> SimpleNamespace:
        raise ModuleNotFoundError(f'No module named {name!r}')

    monkeypatch.setattr(importlib, 'import_module', absent)
    with pytest.raises(BackendError, match='run `pip install cuda-python`'):
        CudaPython()
