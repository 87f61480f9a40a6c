"""Seeded towers with outliers as trained CLIPs have them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mobilevlm_ros.model.mobilevlm import Geometry, Vision

MASSIVE = 200.0  # of an activation; arXiv 2402.17762 has such in CLIP ViT-L, with medians near 1
CHANNELS = 2  # that massive activations lie in
LOW_GAIN, HIGH_GAIN = 10.0, 50.0  # of LayerNorms in some channels
COLUMN = 10.0  # times as large as others


def outlier_tower(geometry: Geometry, seed: int = 0) -> Vision:
    """Tower and projector of seeded noise, with three kinds of outlier.

    Massive activations in two channels of few tokens, which a middle block makes and all later
    ones carry to the projector; gains of 10 to 50 in a hundredth of each LayerNorm's channels;
    and as many large input columns in each matrix.
    """
    torch.manual_seed(seed)
    model = Vision(geometry).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                _fill(module, generator)
            elif isinstance(module, nn.LayerNorm):
                _spread_gains(module, generator)
        _settle(model, geometry, generator)
        _make_massive(model, geometry, generator)
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


def _settle(model: Vision, geometry: Geometry, generator: torch.Generator) -> None:
    """Scale every Linear so that what comes out is of the size that trained ones give.

    Else gains would drive the attention to choose a single token, which no rounding survives.
    """
    hooks = [
        module.register_forward_hook(_scale_output)
        for module in model.modules()
        if isinstance(module, nn.Linear)
    ]
    model.encode(_noise(geometry, generator))
    for hook in hooks:
        hook.remove()


def _scale_output(linear: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
    scale = output.std()
    linear.weight /= scale  # type: ignore[operator]
    return output / scale


def _noise(geometry: Geometry, generator: torch.Generator) -> Tensor:
    size = geometry.image_size
    return torch.randn(4, 3, size, size, generator=generator)


def _make_massive(model: Vision, geometry: Geometry, generator: torch.Generator) -> None:
    """One hidden unit of a middle block fires at few tokens, and writes into two channels."""
    tower = getattr(model.tower, 'vision_model', model.tower)
    mlp = tower.encoder.layers[geometry.vision_layers // 2].mlp
    unit = 0
    hidden: list[Tensor] = []
    hook = mlp.fc1.register_forward_hook(lambda *args: hidden.append(args[2][..., unit]))
    model.tower(_noise(geometry, generator))
    hook.remove()
    values = hidden[0].flatten()
    mlp.fc1.bias[unit] -= torch.quantile(values, 0.98)  # about one token in fifty
    mlp.fc2.weight[:, unit] = 0
    channels = _some(geometry.vision_width, generator)[:CHANNELS]
    mlp.fc2.weight[channels, unit] = MASSIVE / values.std()


def _some(size: int, generator: torch.Generator) -> Tensor:
    """A hundredth of the channels, and two at least."""
    return torch.randperm(size, generator=generator)[: max(2, size // 100)]
