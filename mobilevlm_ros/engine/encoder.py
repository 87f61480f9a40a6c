"""The seam to whatever turns pixels into visual tokens."""

from __future__ import annotations

from typing import Protocol

from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.types import Floats


class VisionEncoder(Protocol):
    """Vision transformer and projector. Every call comes from one thread at a time."""

    @property
    def name(self) -> str:
        """What runs, and how precisely, for people: `onnxruntime int8`."""

    def encode(self, pixels: Floats) -> Floats:
        """Turn float32 (n, 3, size, size) into visual tokens, float32 (n, tokens, width)."""

    def close(self) -> None:
        """Free what is held; nothing may be called afterwards."""


def create_encoder(bundle: Bundle, config: EngineConfig) -> VisionEncoder:
    """Load the vision encoder that the config names."""
    if config.encoder == 'fake':
        from mobilevlm_ros.engine.fake import FakeEncoder

        return FakeEncoder(bundle.vision)
    from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder

    path = bundle.backend_file('onnxruntime', config.precision)
    return OnnxEncoder(path, bundle.vision, config.precision, config.encoder_threads)
