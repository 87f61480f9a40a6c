"""Outliers put into a seeded tower by hand, each in a way of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mobilevlm_ros.model.mobilevlm import Geometry, Vision

GAIN, HIDDEN, MASSIVE = 30.0, 20.0, 200.0


def seeded_tower(geometry: Geometry, inject: Callable[[Any], None]) -> Vision:
    """A tower whose Linears keep the size of what they get, with something done to it."""
    torch.manual_seed(0)
    model = Vision(geometry).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.copy_(torch.randn_like(module.weight) / module.in_features**0.5)
                module.bias.copy_(0.1 * torch.randn_like(module.bias))
        inject(getattr(model.tower, 'vision_model', model.tower))
    return model


def large_gains(tower: Any) -> None:
    """A hundredth of each LayerNorm's channels 30 times larger, their readers as much smaller."""
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        queries = [attention.q_proj, attention.k_proj, attention.v_proj]
        for norm, readers in ((layer.layer_norm1, queries), (layer.layer_norm2, [layer.mlp.fc1])):
            norm.weight[3::100] *= GAIN
            norm.bias[3::100] *= GAIN
            for reader in readers:
                reader.weight[:, 3::100] /= GAIN


def large_hidden_units(tower: Any) -> None:
    """A hundredth of the units between fc1 and fc2 20 times larger, fc2's columns as much less."""
    for layer in tower.encoder.layers:
        layer.mlp.fc1.weight[5::100] *= HIDDEN
        layer.mlp.fc1.bias[5::100] *= HIDDEN
        layer.mlp.fc2.weight[:, 5::100] /= HIDDEN


def massive_in_all_tokens(tower: Any) -> None:
    """Two channels of the residual stream at 200 and -200 everywhere."""
    tower.pre_layrnorm.bias[7] += MASSIVE
    tower.pre_layrnorm.bias[90] -= MASSIVE


def massive_in_few_tokens(tower: Any) -> None:
    """One channel of the residual stream at about 200, in CLS and two patches."""
    width = tower.pre_layrnorm.weight.shape[0]
    tower.embeddings.position_embedding.weight[[0, 9, 30], 11] += MASSIVE
    tower.pre_layrnorm.weight[11] = MASSIVE / width**0.5


def massive_from_a_bias(tower: Any) -> None:
    """The first block's fc2 lifts one channel to 300 in all tokens."""
    tower.encoder.layers[0].mlp.fc2.bias[20] += 1.5 * MASSIVE


INJECTIONS = (
    large_gains,
    large_hidden_units,
    massive_in_all_tokens,
    massive_in_few_tokens,
    massive_from_a_bias,
)
