"""The seam to whatever turns pixels into visual tokens."""

from __future__ import annotations

import logging
from typing import Protocol

from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.selection import Machine, Selection, select_encoder
from mobilevlm_ros.engine.types import Floats

_logger = logging.getLogger(__name__)


class VisionEncoder(Protocol):
    """Vision transformer and projector. Every call comes from one thread at a time."""

    @property
    def name(self) -> str:
        """What runs, and how precisely, for people: `onnxruntime int8`."""

    def encode(self, pixels: Floats) -> Floats:
        """Turn float32 (n, 3, size, size) into visual tokens, float32 (n, tokens, width)."""

    def close(self) -> None:
        """Free what is held; nothing may be called afterwards."""


def create_encoder(
    bundle: Bundle, config: EngineConfig, machine: Machine | None = None
) -> VisionEncoder:
    """Load the vision encoder that the config names, or the best one that loads.

    Args:
        bundle: the model.
        config: backend, precision and threads.
        machine: what to choose by; None: what is installed.
    """
    if config.encoder == 'fake':
        from mobilevlm_ros.engine.fake import FakeEncoder

        return FakeEncoder(bundle.vision)
    failed: dict[str, str] = {}
    while True:
        selection = select_encoder(bundle, config, machine or Machine(), failed)
        try:
            encoder = _open(selection, bundle, config)
        except BackendError as error:
            if config.encoder != 'auto':
                raise
            failed[selection.backend] = str(error)
        else:
            _logger.info('vision encoder: %s', selection.describe())
            return encoder


def _open(selection: Selection, bundle: Bundle, config: EngineConfig) -> VisionEncoder:
    if selection.backend == 'tensorrt':
        from mobilevlm_ros.engine.cuda import open_cuda
        from mobilevlm_ros.engine.tensorrt_encoder import TensorRtEncoder, read_plan

        return TensorRtEncoder(read_plan(selection.path), bundle.vision, open_cuda())
    from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder

    return OnnxEncoder(
        selection.path,
        bundle.vision,
        selection.precision,
        config.encoder_threads,
        cuda=selection.backend == 'onnxruntime_cuda',
    )
