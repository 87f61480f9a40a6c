"""CUDA through torch, where the robot has it for other reasons.

torch is found by its name at run time: the engine neither needs it nor knows its types. It is
imported only once TensorRT was found, since it takes seconds and hundreds of megabytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mobilevlm_ros.engine.cuda import Shape
from mobilevlm_ros.engine.errors import BackendError


class TorchCuda:
    """The first CUDA device."""

    name = 'torch'

    def __init__(self) -> None:
        self._torch = _load_torch()
        with _as_ours('open the device'):
            properties = self._torch.cuda.get_device_properties(0)
            self.sm = f'{properties.major}{properties.minor}'
            self.integrated = bool(properties.is_integrated)

    def free_memory(self) -> int:
        """Bytes of device memory that can be allocated."""
        with _as_ours('ask for free memory'):
            return int(self._torch.cuda.mem_get_info(0)[0])

    def allocate(self, input_shape: Shape, output_shape: Shape) -> TorchBuffers:
        """Make float32 buffers of these shapes, batch first."""
        with _as_ours('allocate memory'):
            return TorchBuffers(self._torch, input_shape, output_shape)


class TorchBuffers:
    """Tensors that torch owns; they live as long as this does."""

    def __init__(self, torch: Any, input_shape: Shape, output_shape: Shape) -> None:
        self._torch = torch
        self._stream = torch.cuda.Stream(0)
        self._host_input = torch.empty(input_shape, dtype=torch.float32, pin_memory=True)
        self._host_output = torch.empty(output_shape, dtype=torch.float32, pin_memory=True)
        self._input = torch.empty(input_shape, dtype=torch.float32, device='cuda:0')
        self._output = torch.empty(output_shape, dtype=torch.float32, device='cuda:0')
        torch.cuda.synchronize(0)  # they were made in another stream
        self.pinned_input = self._host_input.numpy()
        self.pinned_output = self._host_output.numpy()
        self.input_address = int(self._input.data_ptr())
        self.output_address = int(self._output.data_ptr())
        self.stream = int(self._stream.cuda_stream)

    def upload(self, count: int) -> None:
        """Queue the copy of the first `count` images to the device."""
        with _as_ours('copy pixels to the device'), self._torch.cuda.stream(self._stream):
            self._input[:count].copy_(self._host_input[:count], non_blocking=True)

    def download(self, count: int) -> None:
        """Queue the copy of the first `count` results from the device, and wait for everything."""
        with _as_ours('run on the device'), self._torch.cuda.stream(self._stream):
            self._host_output[:count].copy_(self._output[:count], non_blocking=True)
            self._stream.synchronize()

    def close(self) -> None:
        """Free all of it; what `pinned_input` and `pinned_output` show is gone then."""
        del self.pinned_input, self.pinned_output
        del self._host_input, self._host_output, self._input, self._output, self._stream


def _load_torch() -> Any:
    try:
        torch = importlib.import_module('torch')
    except (ImportError, OSError) as error:
        raise BackendError(f'torch cannot be imported ({error})') from error
    if not torch.cuda.is_available():
        raise BackendError('torch sees no CUDA device')
    return torch


@contextmanager
def _as_ours(what: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # torch's CUDA errors are all of this class
        raise BackendError(f'torch could not {what}: {error}') from error
