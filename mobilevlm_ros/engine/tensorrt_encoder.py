"""The vision encoder in TensorRT: runs a plan that `mobilevlm build-engine` made."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.cuda import Cuda
from mobilevlm_ros.engine.errors import BackendError, PlanError
from mobilevlm_ros.engine.tensorrt_log import complaints, trt_logger
from mobilevlm_ros.engine.types import Floats

if TYPE_CHECKING:
    import tensorrt as trt

INPUT, OUTPUT = 'pixels', 'visual_tokens'


class TensorRtEncoder:
    """A plan, its context, and buffers for as many images as the plan takes at a time.

    All of it is made once. An image costs a copy into pinned memory, one to the device, the run,
    one copy back, and one out of pinned memory, all in a stream of its own.
    """

    def __init__(self, plan: memoryview, vision: VisionSpec, cuda: Cuda) -> None:
        """Load a plan.

        Args:
            plan: its bytes, only needed until this returns. TensorRT runs code that they hold:
                take plans from nobody but yourself.
            vision: what the tensors must look like.
            cuda: the device.

        Raises:
            PlanError: if TensorRT refuses the plan, or it is of another model.
            BackendError: if memory is short.
        """
        import tensorrt as trt

        self.name = f'tensorrt {trt.__version__} fp16'
        self._runtime = _create_runtime()
        self._engine = _load(self._runtime, plan)
        self._batch = _largest_batch(self._engine)
        size = vision.image_size
        _expect(self._engine, INPUT, trt.TensorIOMode.INPUT, (3, size, size))
        shape = (vision.visual_tokens, vision.width)
        _expect(self._engine, OUTPUT, trt.TensorIOMode.OUTPUT, shape)
        self._context = _create_context(self._engine)
        self._image_shape = (3, size, size)
        self._buffers = cuda.allocate((self._batch, *self._image_shape), (self._batch, *shape))
        with ExitStack() as opened:
            opened.callback(self._buffers.close)
            self._bind(INPUT, self._buffers.input_address)
            self._bind(OUTPUT, self._buffers.output_address)
            opened.pop_all()
        self._count = 0  # images that the context is set to

    def encode(self, pixels: Floats) -> Floats:
        """Turn float32 (n, 3, size, size) into visual tokens, float32 (n, tokens, width)."""
        if pixels.ndim != 4 or pixels.shape[1:] != self._image_shape or not len(pixels):
            raise BackendError(
                f'TensorRT could not encode the image: pixels should be of shape '
                f'(n, {", ".join(map(str, self._image_shape))}), found {pixels.shape}'
            )
        starts = range(0, len(pixels), self._batch)
        parts = [self._run(pixels[at : at + self._batch]) for at in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        """Free device memory and the engine."""
        self._buffers.close()
        del self._context, self._engine, self._runtime

    def _run(self, pixels: Floats) -> Floats:
        count = len(pixels)
        self._buffers.pinned_input[:count] = pixels
        self._set_count(count)
        self._buffers.upload(count)
        if not self._context.execute_async_v3(self._buffers.stream):
            raise BackendError(f'TensorRT could not encode the image: {complaints().take()}')
        self._buffers.download(count)
        return self._buffers.pinned_output[:count].copy()

    def _set_count(self, count: int) -> None:
        if count == self._count:
            return
        self._count = 0
        known = self._context.set_input_shape(INPUT, (count, *self._image_shape))
        if not known or (missing := self._context.infer_shapes()):
            reason = complaints().take() if not known else f'no shape for {", ".join(missing)}'
            raise BackendError(f'TensorRT does not take {count} images at a time: {reason}')
        self._count = count

    def _bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise BackendError(f'TensorRT took no memory for {name}: {complaints().take()}')


def read_plan(path: Path) -> memoryview:
    """The bytes of a plan, mapped: on a board they would else lie in memory twice."""
    try:
        with path.open('rb') as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise PlanError(f'{path} cannot be read: {error}') from error


def _create_runtime() -> trt.Runtime:
    import tensorrt as trt

    try:
        return trt.Runtime(trt_logger())
    except TypeError as error:  # what pybind11 makes of a runtime that could not be created
        raise BackendError(f'TensorRT cannot run here: {complaints().take()}') from error


def _load(runtime: trt.Runtime, plan: memoryview) -> trt.ICudaEngine:
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise PlanError(f'TensorRT refuses the plan: {complaints().take()}')
    return engine


def _create_context(engine: trt.ICudaEngine) -> trt.IExecutionContext:
    context = engine.create_execution_context()
    if context is None:
        raise BackendError(
            f'TensorRT has no memory for the activations: {complaints().take()}; free some, or '
            'build for fewer tiles'
        )
    return context


def _largest_batch(engine: trt.ICudaEngine) -> int:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    if sorted(names) != [INPUT, OUTPUT]:
        raise PlanError(
            f'the plan has the tensors {", ".join(names)} where {INPUT} and {OUTPUT} were '
            'expected; it is of another model: run `mobilevlm build-engine` again'
        )
    batch = engine.get_tensor_shape(INPUT)[0]
    return batch if batch != -1 else engine.get_tensor_profile_shape(INPUT, 0)[2][0]


def _expect(
    engine: trt.ICudaEngine, name: str, mode: trt.TensorIOMode, shape: tuple[int, ...]
) -> None:
    import tensorrt as trt

    dims = engine.get_tensor_shape(name)
    found = tuple(dims[axis] for axis in range(1, len(dims)))
    dtype = engine.get_tensor_dtype(name)
    if engine.get_tensor_mode(name) != mode or dtype != trt.DataType.FLOAT or found != shape:
        raise PlanError(
            f'the plan has {name} as {dtype.name} (batch, {", ".join(map(str, found))}) where '
            f'FLOAT (batch, {", ".join(map(str, shape))}) was expected as {mode.name}; it is of '
            'another model: run `mobilevlm build-engine` again'
        )
