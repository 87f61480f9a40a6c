"""Seeded towers with outliers as trained CLIPs have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobilevlm_ros.convert.quantise_vision import synthetic_pixels
from mobilevlm_ros.model.mobilevlm import Geometry, Vision

MASSIVE = 200.0  # of an activation; arXiv 2402.17762 has such in CLIP ViT-L, with medians near 1
CHANNELS = 2  # that massive activations lie in
LOW_GAIN, HIGH_GAIN = 10.0, 50.0  # of LayerNorms in some channels
COLUMN = 10.0  # times as large as others
MARGIN = 5.0  # of the unit that makes them, in units of its GELU: -5 is silent
IMAGES = 8  # that the tower is made for


def outlier_tower(
    geometry: Geometry, seed: int = 0, gains_everywhere: bool = False, harsh: bool = False
) -> Vision:
    """Tower and projector of seeded noise, with three kinds of outlier.

    Massive activations in two channels of one token in fifty, which a middle block makes and all
    later ones carry to the projector; gains of 10 to 50 in a hundredth of the channels of each of
    the tower's LayerNorms; and as many large input columns in each matrix.

    The projector is no CLIP and keeps ordinary gains, unless `gains_everywhere`: with a hundredth
    of large ones in LDP's last LayerNorm, a token's cosine depends on two or three values alone.
    If `harsh`, what is behind the massive activations was scaled without them, and saturates.
    """
    torch.manual_seed(seed)
    model = Vision(geometry).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                _fill(module, generator)
        for module in (model if gains_everywhere else model.tower).modules():
            if isinstance(module, nn.LayerNorm):
                _spread_gains(module, generator)
        marked = _mark_tokens(model, generator)
        images = _images(geometry, IMAGES, seed)
        _settle(model, images, model)
        _make_massive(model, images, marked, generator)
        if not harsh:
            _settle(model, images, _later_blocks(model), model.projector)
    return model


def _fill(linear: nn.Linear, generator: torch.Generator) -> None:
    """Noise, no bias, and a few large columns."""
    weight = linear.weight
    linear.bias.zero_()
    weight.copy_(torch.randn(weight.shape, generator=generator))
    weight[:, _some(weight.shape[1], generator)] *= COLUMN


def _spread_gains(norm: nn.LayerNorm, generator: torch.Generator) -> None:
    size = norm.weight.shape[0]
    norm.weight.copy_(1 + 0.2 * torch.randn(size, generator=generator))
    chosen = _some(size, generator)
    gains = torch.rand(len(chosen), generator=generator)
    norm.weight[chosen] = LOW_GAIN + (HIGH_GAIN - LOW_GAIN) * gains


def _settle(model: Vision, images: Tensor, *parts: nn.Module) -> None:
    """Scale each Linear of these parts so that what comes out is as large as in trained ones.

    Else gains would drive the attention to choose a single token, which no rounding survives.
    """
    hooks = [
        module.register_forward_hook(_scale_output)
        for part in parts
        for module in part.modules()
        if isinstance(module, nn.Linear)
    ]
    model.encode(images)
    for hook in hooks:
        hook.remove()


def _scale_output(linear: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
    scale = output.std()
    linear.weight /= scale  # type: ignore[operator]
    return output / scale


def _images(geometry: Geometry, count: int, seed: int) -> Tensor:
    """Others than those that int8 is calibrated and measured on, which have seed 0."""
    images = synthetic_pixels(geometry.image_size, count, seed + 1)
    return torch.from_numpy(np.stack([*images]))


def _mark_tokens(model: Vision, generator: torch.Generator) -> Tensor:
    """Give a few positions a common direction, as large as patches are; which ones: (tokens,)."""
    embeddings = _tower(model).embeddings
    positions = embeddings.position_embedding.weight
    count, width = positions.shape
    chosen = 1 + torch.randperm(count - 1, generator=generator)[: max(1, count // 50)]
    size = embeddings.patch_embedding.weight.flatten(1).norm(dim=1).mean()
    positions[chosen] += size * torch.randn(width, generator=generator)
    return torch.zeros(count, dtype=torch.bool).index_fill_(0, chosen, True)


def _make_massive(
    model: Vision, images: Tensor, marked: Tensor, generator: torch.Generator
) -> None:
    """One hidden unit of a middle block fires at the marked tokens, and writes into channels.

    It is decided: midway between those tokens and all others, and MARGIN away from both.
    """
    mlp, unit = _middle_block(model).mlp, 0
    seen: list[Tensor] = []
    hook = mlp.fc1.register_forward_hook(lambda *args: seen.append(args[1][0]))
    model.tower(images)
    hook.remove()
    direction = _separate(seen[0].flatten(0, 1), marked.repeat(len(images)))
    values = seen[0] @ direction
    low, high = values[:, ~marked].max(), values[:, marked].min()
    assert low < high, 'the marked tokens cannot be told from the others'
    scale = 2 * MARGIN / (high - low)
    mlp.fc1.weight[unit] = direction * scale
    mlp.fc1.bias[unit] = -scale * (low + high) / 2
    mlp.fc2.weight[:, unit] = 0
    channels = _some(mlp.fc2.weight.shape[0], generator)[:CHANNELS]
    fired = mlp.activation_fn(mlp.fc1(seen[0])[:, marked, unit])
    mlp.fc2.weight[channels, unit] = MASSIVE / fired.mean()


def _separate(tokens: Tensor, marked: Tensor) -> Tensor:
    """Direction along which marked tokens differ most from others: ridge regression."""
    centred = (tokens - tokens.mean(0)).double()
    square = centred.T @ centred
    ridge = 1e-3 * square.diagonal().mean() * torch.eye(len(square))
    return torch.linalg.solve(square + ridge, centred.T @ marked.double()).float()


def _middle_block(model: Vision) -> Any:
    layers = _tower(model).encoder.layers
    return layers[len(layers) // 2]


def _later_blocks(model: Vision) -> nn.Module:
    """Those that get massive activations."""
    layers: nn.ModuleList = _tower(model).encoder.layers
    return layers[len(layers) // 2 + 1 :]


def _tower(model: Vision) -> Any:
    """CLIP's tower: releases of transformers differ in whether it has this inner level."""
    return getattr(model.tower, 'vision_model', model.tower)


def _some(size: int, generator: torch.Generator) -> Tensor:
    """A hundredth of the channels, and two at least."""
    return torch.randperm(size, generator=generator)[: max(2, size // 100)]
