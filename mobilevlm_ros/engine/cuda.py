"""The seam to CUDA: device memory and a stream, for backends that are handed addresses."""

from __future__ import annotations

import math
from typing import Protocol

from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.types import Floats

Shape = tuple[int, ...]


class IoBuffers(Protocol):
    """One input and one output, on both sides, and the stream that carries them."""

    pinned_input: Floats  # host memory that the device copies from without a detour
    pinned_output: Floats
    input_address: int  # of device memory of the same size
    output_address: int
    stream: int  # handle of a stream of our own: the default one synchronises with all others

    def upload(self, count: int) -> None:
        """Queue the copy of the first `count` images to the device."""

    def download(self, count: int) -> None:
        """Queue the copy of the first `count` results from the device, and wait for everything."""

    def close(self) -> None:
        """Free all of it; what `pinned_input` and `pinned_output` show is gone then."""


class Cuda(Protocol):
    """The first CUDA device."""

    name: str  # the library, for people
    sm: str  # compute capability without the point: '87' is Orin
    integrated: bool  # whether it shares its memory with the CPU, as on a Jetson

    def free_memory(self) -> int:
        """Bytes of device memory that can be allocated."""

    def allocate(self, input_shape: Shape, output_shape: Shape) -> IoBuffers:
        """Make float32 buffers of these shapes, batch first."""


def open_cuda() -> Cuda:
    """The device through torch, where torch is there and sees it, else through cuda-python.

    Raises:
        BackendError: saying of both why not.
    """
    reasons = []
    for create in (_torch, _cuda_python):
        try:
            return create()
        except BackendError as error:
            reasons.append(str(error))
    raise BackendError('no CUDA device can be used: ' + '; '.join(reasons))


def nbytes(shape: Shape) -> int:
    """Bytes of a float32 array of this shape."""
    return 4 * math.prod(shape)


def _torch() -> Cuda:
    from mobilevlm_ros.engine.torch_cuda import TorchCuda

    return TorchCuda()


def _cuda_python() -> Cuda:
    from mobilevlm_ros.engine.cuda_python import CudaPython

    return CudaPython()
