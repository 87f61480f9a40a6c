"""CUDA through cuda-python, NVIDIA's bindings of the runtime API; the only module that loads it.

`cuda.bindings.runtime` since 12.8, `cuda.cudart` before. Every call returns its error first.
"""

from __future__ import annotations

import ctypes
import importlib
from contextlib import ExitStack
from typing import Any

import numpy as np

from mobilevlm_ros.engine.cuda import Shape, nbytes
from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.types import Floats

MODULES = ('cuda.bindings.runtime', 'cuda.cudart')


class CudaPython:
    """The first CUDA device."""

    name = 'cuda-python'

    def __init__(self, runtime: Any = None) -> None:
        """Open the device.

        Args:
            runtime: the module of the runtime API; None: whichever is installed.
        """
        self._calls = _Calls(runtime or _load_runtime())
        self._calls('cudaSetDevice', 0)
        major = self._attribute('cudaDevAttrComputeCapabilityMajor')
        self.sm = f'{major}{self._attribute("cudaDevAttrComputeCapabilityMinor")}'
        self.integrated = bool(self._attribute('cudaDevAttrIntegrated'))

    def free_memory(self) -> int:
        """Bytes of device memory that can be allocated."""
        free, _ = self._calls('cudaMemGetInfo')
        return int(free)

    def allocate(self, input_shape: Shape, output_shape: Shape) -> CudaPythonBuffers:
        """Make float32 buffers of these shapes, batch first."""
        return CudaPythonBuffers(self._calls, input_shape, output_shape)

    def _attribute(self, name: str) -> int:
        attribute = getattr(self._calls.runtime.cudaDeviceAttr, name)
        return int(self._calls('cudaDeviceGetAttribute', attribute, 0))


class CudaPythonBuffers:
    """Memory of the CUDA runtime, freed by `close`."""

    def __init__(self, calls: _Calls, input_shape: Shape, output_shape: Shape) -> None:
        self._calls = calls
        kinds = calls.runtime.cudaMemcpyKind
        self._to_device = kinds.cudaMemcpyHostToDevice
        self._to_host = kinds.cudaMemcpyDeviceToHost
        with ExitStack() as opened:
            flags = calls.runtime.cudaStreamNonBlocking
            self._stream = calls('cudaStreamCreateWithFlags', flags)
            opened.callback(calls, 'cudaStreamDestroy', self._stream)
            self.stream = int(self._stream)
            self.pinned_input = self._pinned(input_shape, opened)
            self.pinned_output = self._pinned(output_shape, opened)
            self.input_address = self._device(input_shape, opened)
            self.output_address = self._device(output_shape, opened)
            self._opened = opened.pop_all()

    def upload(self, count: int) -> None:
        """Queue the copy of the first `count` images to the device."""
        source = self.pinned_input
        self._copy(self.input_address, source.ctypes.data, source[:count].nbytes, self._to_device)

    def download(self, count: int) -> None:
        """Queue the copy of the first `count` results from the device, and wait for everything."""
        target = self.pinned_output
        self._copy(target.ctypes.data, self.output_address, target[:count].nbytes, self._to_host)
        self._calls('cudaStreamSynchronize', self._stream)

    def close(self) -> None:
        """Free all of it; what `pinned_input` and `pinned_output` show is gone then."""
        del self.pinned_input, self.pinned_output
        self._opened.close()

    def _copy(self, target: int, source: int, size: int, kind: Any) -> None:
        self._calls('cudaMemcpyAsync', target, source, size, kind, self._stream)

    def _pinned(self, shape: Shape, opened: ExitStack) -> Floats:
        address = int(self._calls('cudaHostAlloc', nbytes(shape), 0))
        opened.callback(self._calls, 'cudaFreeHost', address)
        content = (ctypes.c_float * (nbytes(shape) // 4)).from_address(address)
        return np.ctypeslib.as_array(content).reshape(shape)

    def _device(self, shape: Shape, opened: ExitStack) -> int:
        address = int(self._calls('cudaMalloc', nbytes(shape)))
        opened.callback(self._calls, 'cudaFree', address)
        return address


class _Calls:
    """Calls of the runtime by name, their errors raised as ours."""

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime

    def __call__(self, name: str, *arguments: Any) -> Any:
        """What the call gives beside its error: nothing, one value, or a tuple."""
        try:
            error, *values = getattr(self.runtime, name)(*arguments)
        except RuntimeError as failure:  # of old versions, where there is no driver
            raise BackendError(f'cuda-python: {name} failed: {failure}') from failure
        if int(error):
            _, text = self.runtime.cudaGetErrorString(error)
            raise BackendError(f'cuda-python: {name} failed: {text.decode()}')
        return values[0] if len(values) == 1 else tuple(values)


def _load_runtime() -> Any:
    reasons = []
    for name in MODULES:
        try:
            return importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            reasons.append(str(error))
    raise BackendError(
        f'cuda-python cannot be imported ({"; ".join(reasons)}); run `pip install cuda-python` '
        "in the version of the system's CUDA"
    )
