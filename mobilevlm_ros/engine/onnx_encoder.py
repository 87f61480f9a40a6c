"""The vision encoder in ONNX Runtime; the only module that imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.cpu import thread_count
from mobilevlm_ros.engine.errors import BackendError, BundleError
from mobilevlm_ros.engine.types import Floats

try:
    import onnxruntime
except ImportError as error:
    raise BackendError(
        f'onnxruntime cannot be imported ({error}); run `pip install onnxruntime`'
    ) from error

INPUT, OUTPUT = 'pixels', 'visual_tokens'
CPU, CUDA = 'CPUExecutionProvider', 'CUDAExecutionProvider'


def available_providers() -> list[str]:
    """The execution providers that ONNX Runtime was built with; one may still not load."""
    return list(onnxruntime.get_available_providers())


class OnnxEncoder:
    """Runs vision.onnx on the CPU, or on an NVIDIA GPU."""

    def __init__(
        self,
        path: Path,
        vision: VisionSpec,
        precision: str,
        threads: int = 0,
        *,
        cuda: bool = False,
    ) -> None:
        """Load an ONNX file.

        Args:
            path: the file.
            vision: what its tensors must look like.
            precision: of the file, for the name.
            threads: CPU threads; 0: one per core.
            cuda: run on the GPU.

        Raises:
            BackendError: if ONNX Runtime cannot load it, or would run it on the CPU after all.
            BundleError: if it is of another model.
        """
        provider = CUDA if cuda else CPU
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count(threads)
        options.log_severity_level = 3
        # Threads that spin while they wait take the cores from the language model.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=[CUDA, CPU] if cuda else [CPU]
            )
        except Exception as error:  # it raises classes of its own, not all of them public
            raise BackendError(f'ONNX Runtime could not load {path}: {error}') from error
        if provider not in self._session.get_providers():  # it only warns, and takes the CPU
            raise BackendError(f'ONNX Runtime could not load {provider}: check its CUDA libraries')
        size = vision.image_size
        _expect(path, self._session.get_inputs(), INPUT, (3, size, size))
        _expect(path, self._session.get_outputs(), OUTPUT, (vision.visual_tokens, vision.width))
        self.name = f'onnxruntime{"_cuda" if cuda else ""} {precision}'

    def encode(self, pixels: Floats) -> Floats:
        """Turn float32 (n, 3, size, size) into visual tokens, float32 (n, tokens, width)."""
        try:
            tokens = self._session.run([OUTPUT], {INPUT: pixels})[0]
        except Exception as error:
            raise BackendError(f'ONNX Runtime could not encode the image: {error}') from error
        return np.asarray(tokens, np.float32)

    def close(self) -> None:
        """Free the session."""
        del self._session


def _expect(path: Path, values: list[Any], name: str, shape: tuple[int, ...]) -> None:
    found = {value.name: value.shape for value in values}
    if name not in found or tuple(found[name][1:]) != shape:
        raise BundleError(
            f'{path} should have {name} of shape (batch, {", ".join(map(str, shape))}), '
            f'found {found}; convert the model again'
        )
