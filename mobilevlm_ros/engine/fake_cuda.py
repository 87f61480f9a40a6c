"""A CUDA device that is none, for tests of what is decided above it; see fake_tensorrt.py."""

from __future__ import annotations

import numpy as np

from mobilevlm_ros.engine.cuda import Shape

STREAM = 7  # the handle of the only stream there is


class FakeCuda:
    """A device whose memory is the host's."""

    name = 'fake'

    def __init__(self, sm: str = '87', free: int = 1 << 40) -> None:
        self.sm = sm
        self.integrated = False
        self.free = free
        self.allocated = 0  # buffers that are not freed

    def free_memory(self) -> int:
        """Bytes of device memory that can be allocated."""
        return self.free

    def allocate(self, input_shape: Shape, output_shape: Shape) -> FakeBuffers:
        """Make float32 buffers of these shapes, batch first."""
        self.allocated += 1
        return FakeBuffers(self, input_shape, output_shape)


class FakeBuffers:
    """Copies are made at once."""

    stream = STREAM

    def __init__(self, cuda: FakeCuda, input_shape: Shape, output_shape: Shape) -> None:
        self._cuda = cuda
        self.pinned_input, self._input = (np.zeros(input_shape, np.float32) for _ in range(2))
        self.pinned_output, self._output = (np.zeros(output_shape, np.float32) for _ in range(2))
        self.input_address = self._input.ctypes.data
        self.output_address = self._output.ctypes.data

    def upload(self, count: int) -> None:
        """Copy the first `count` images to the device."""
        self._input[:count] = self.pinned_input[:count]

    def download(self, count: int) -> None:
        """Copy the first `count` results from the device."""
        self.pinned_output[:count] = self._output[:count]

    def close(self) -> None:
        """Count them as freed."""
        self._cuda.allocated -= 1
