"""Vision tower and projector to ONNX, in the form that TensorRT and ONNX Runtime both like.

Attention scales only Q, and before the product, as both TensorRT's fused attention and float16
ask for; opset 18, so that LayerNormalization is one node and Attention is not.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from transformers import AttentionInterface

from mobilevlm_ros.convert.onnx_graph import SCOPES, drop_notes
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import Vision

OPSET = 18
MOST_BYTES = (1 << 31) - (16 << 20)  # protobuf's limit, less room for the graph itself
ATTENTION = 'scaled_query'


class _Encoder(nn.Module):
    """What is exported: pixels to visual tokens."""

    def __init__(self, model: Vision, inner: torch.dtype) -> None:
        super().__init__()
        self.model = model.to(inner)
        self.inner = inner

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 [batch, 3, S, S] to float32 [batch, tokens, width]."""
        return self.model.encode(pixels.to(self.inner)).float()


def scaled_query_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention over [batch, heads, n, d] with the scale on Q alone."""
    weights = torch.softmax((query * scaling) @ key.transpose(-1, -2), -1)
    return (weights @ value).transpose(1, 2).contiguous(), None


def export_vision(model: Vision, path: Path, inner: torch.dtype = torch.float32) -> None:
    """Write `pixels` [batch, 3, S, S] to `visual_tokens` [batch, tokens, width], one file.

    Args:
        model: is converted to `inner` where it stands.
        path: of the ONNX file.
        inner: float32 or float16, of weights and arithmetic; both ends stay float32, so that
            whoever runs it need not know.

    Raises:
        CheckpointError: naming a tensor that is not finite in that type, or if all of them are
            more than the 2 GiB that one ONNX file can hold.
    """
    with TemporaryDirectory(dir=path.parent) as folder:
        apart = Path(folder) / 'vision.onnx'
        export_apart(model, apart, inner)
        join_weights(apart, path)


def export_apart(model: Vision, path: Path, inner: torch.dtype = torch.float32) -> None:
    """The same with the weights in a file of their own beside it, which takes no copy of them."""
    encoder = _Encoder(model, inner).eval()
    _check_weights(model)
    AttentionInterface.register(ATTENTION, scaled_query_attention)
    model.tower.set_attn_implementation(ATTENTION)
    program = _trace(encoder)
    program.save(str(path), external_data=True)
    for value in program.model.graph.initializers.values():
        value.const_value = None  # PyTorch keeps the graph, which would keep the weights
    onnx.checker.check_model(str(path))


def join_weights(apart: Path, path: Path) -> None:
    """Write a model whose weights lie beside it as one file, without paths of this machine."""
    model = onnx.load(apart)
    drop_notes(model.graph, kept=(SCOPES,))
    onnx.save(model, path)


def _trace(encoder: _Encoder) -> torch.onnx.ONNXProgram:
    size = encoder.model.geometry.image_size
    with quiet():
        program = torch.onnx.export(
            encoder,
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            opset_version=OPSET,
            input_names=['pixels'],
            output_names=['visual_tokens'],
            dynamic_shapes={'pixels': {0: torch.export.Dim('batch', min=1, max=64)}},
            verbose=False,
        )
    assert program is not None
    return program


def _check_weights(model: Vision) -> None:
    weights = model.named_weights()
    size = sum(weight.nbytes for weight in weights.values())
    if size > MOST_BYTES:
        raise CheckpointError(
            f'the vision part takes {size / 1e9:.1f} GB in one ONNX file, which cannot hold more '
            'than 2 GiB; choose --precision fp16'
        )
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise CheckpointError(f'{name} has values that are not finite as {weight.dtype}')


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what libraries advise their own developers of."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(logging.NOTSET)
