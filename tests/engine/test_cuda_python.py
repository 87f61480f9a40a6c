"""Over a runtime whose device is the host; and the names and errors of the real bindings."""

from __future__ import annotations

import ctypes
import importlib
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
    'cudaMalloc', 'cudaMemGetInfo', 'cudaMemcpyAsync', 'cudaSetDevice', 'cudaStreamCreateWithFlags',
    'cudaStreamDestroy', 'cudaStreamSynchronize', 'cudaStreamNonBlocking',
)  # fmt: skip
ATTRIBUTES = ('ComputeCapabilityMajor', 'ComputeCapabilityMinor', 'Integrated')
KINDS = ('cudaMemcpyHostToDevice', 'cudaMemcpyDeviceToHost')
OK = 0


class HostRuntime:
    """Allocates with numpy and copies at once; counts what was not freed."""

    cudaDeviceAttr = IntEnum('cudaDeviceAttr', [f'cudaDevAttr{name}' for name in ATTRIBUTES])
    cudaMemcpyKind = IntEnum('cudaMemcpyKind', KINDS)
    cudaStreamNonBlocking = 1

    def __init__(self, failing: str = '') -> None:
        self.blocks: dict[int, Any] = {}
        self.failing = failing

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, 'failing'):
            return lambda *_: (2, None)
        return object.__getattribute__(self, name)

    def cudaSetDevice(self, device: int) -> tuple[int]:
        return (OK,)

    def cudaDeviceGetAttribute(self, attribute: int, device: int) -> tuple[int, int]:
        return OK, {1: 8, 2: 7, 3: 1}[attribute]

    def cudaMemGetInfo(self) -> tuple[int, int, int]:
        return OK, 1000, 2000

    def cudaGetErrorString(self, error: int) -> tuple[int, bytes]:
        return OK, b'out of memory'

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[int, int]:
        assert flags == self.cudaStreamNonBlocking
        self.blocks[99] = 'stream'
        return OK, 99

    def cudaMalloc(self, size: int) -> tuple[int, int]:
        block = np.zeros(size, np.uint8)
        self.blocks[block.ctypes.data] = block
        return OK, block.ctypes.data

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[int, int]:
        return self.cudaMalloc(size)

    def cudaMemcpyAsync(
        self, target: int, source: int, size: int, kind: int, stream: int
    ) -> tuple[int]:
        assert stream == 99
        ctypes.memmove(target, source, size)
        return (OK,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:
        return (OK,)

    def cudaFree(self, address: int) -> tuple[int]:
        del self.blocks[address]
        return (OK,)

    cudaFreeHost = cudaFree
    cudaStreamDestroy = cudaFree


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
    runtime = HostRuntime()
    cuda = CudaPython(runtime)
    runtime.failing = 'cudaMalloc'
    runtime.cudaHostAlloc = lambda size, flags: HostRuntime.cudaMalloc(runtime, size)  # type: ignore
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
    with pytest.raises(BackendError, match='cuda-python: cudaSetDevice failed: .*'):
        CudaPython(bindings)


def test_without_bindings_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> SimpleNamespace:
        raise ModuleNotFoundError(f'No module named {name!r}')

    monkeypatch.setattr(importlib, 'import_module', absent)
    with pytest.raises(BackendError, match='run `pip install cuda-python`'):
        CudaPython()
