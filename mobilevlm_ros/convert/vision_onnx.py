"""Vision tower and projector to ONNX, in the form that TensorRT and ONNX Runtime both like.

Attention scales only Q, and before the product, as both TensorRT's fused attention and float16
ask for; opset 18, so that LayerNormalization is one node and Attention is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from transformers import AttentionInterface

from mobilevlm_ros.model.mobilevlm import Vision

OPSET = 18
ATTENTION = 'scaled_query'


class _Encoder(nn.Module):
    """What is exported: pixels to visual tokens."""

    def __init__(self, model: Vision) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        """float32 [batch, 3, S, S] to float32 [batch, tokens, width]."""
        return self.model.encode(pixels)


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


def export_vision(model: Vision, path: Path) -> None:
    """Write `pixels` [batch, 3, S, S] to `visual_tokens` [batch, tokens, width], one file."""
    AttentionInterface.register(ATTENTION, scaled_query_attention)
    model.tower.set_attn_implementation(ATTENTION)
    size = model.geometry.image_size
    program = torch.onnx.export(
        _Encoder(model).eval(),
        (torch.zeros(2, 3, size, size),),
        dynamo=True,
        opset_version=OPSET,
        input_names=['pixels'],
        output_names=['visual_tokens'],
        dynamic_shapes={'pixels': {0: torch.export.Dim('batch', min=1, max=64)}},
        verbose=False,
    )
    assert program is not None
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path))


def quantise_vision(source: Path, target: Path) -> None:
    """Weights of all matrix products to int8, activations quantised as they come.

    Seven bits of weight are used, since CPUs without VNNI add up pairs of products in 16 bits
    and saturate with eight.
    """
    quantize_dynamic(
        str(source),
        str(target),
        op_types_to_quantize=['MatMul', 'Gemm'],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
