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


class OnnxEncoder:
    """Runs vision.onnx on the CPU."""

    def __init__(self, path: Path, vision: VisionSpec, precision: str, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count(threads)
        options.log_severity_level = 3
        # Threads that spin while they wait take the cores from the language model.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # it raises classes of its own, not all of them public
            raise BackendError(f'ONNX Runtime could not load {path}: {error}') from error
        size = vision.image_size
        _expect(path, self._session.get_inputs(), INPUT, (3, size, size))
        _expect(path, self._session.get_outputs(), OUTPUT, (vision.visual_tokens, vision.width))
        self.name = f'onnxruntime {precision}'

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
