"""MobileVLM's Lightweight Downsample Projectors: LDP (arXiv 2312.16886, section 3.3) and LDPv2.

LDPv2 is MobileVLM V2's (arXiv 2402.03766, section 3.3). Parameter names are those of the
official checkpoints. LayerNorm over channels is written as permute, LayerNorm, permute, the form
that TensorRT fuses.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SIDE = 12  # of the grid that LDPv2 pools to, whatever the image's size


def to_grid(tokens: Tensor) -> Tensor:
    """[batch, n * n, width] to [batch, width, n, n].

    Raises:
        ValueError: if the tokens do not fill a square.
    """
    batch, count, width = tokens.shape
    side = math.isqrt(count)
    if side * side != count:
        raise ValueError(f'{count} tokens do not fill a square grid')
    return tokens.transpose(1, 2).reshape(batch, width, side, side)


def to_tokens(grid: Tensor) -> Tensor:
    """[batch, width, n, n] to [batch, n * n, width]."""
    return grid.flatten(2).transpose(1, 2)


class ChannelLayerNorm(nn.LayerNorm):
    """LayerNorm over the channels of [batch, width, h, w]; timm's LayerNormAct2d without act."""

    def forward(self, grid: Tensor) -> Tensor:
        """Normalise each place over its channels."""
        return super().forward(grid.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SqueezeExcitation(nn.Module):
    """Channel attention: pool, squeeze, ReLU, excite, Hardsigmoid; torchvision's, by names."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, width, 1)

    def forward(self, grid: Tensor) -> Tensor:
        """Scale each channel of [batch, width, h, w]."""
        pooled = grid.mean((2, 3), keepdim=True)
        return nn.functional.hardsigmoid(self.fc2(torch.relu(self.fc1(pooled)))) * grid


class InvertedResidual(nn.Module):
    """MobileNetV3's block without expansion: depthwise, SE, pointwise; residual at stride 1."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        depthwise = nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False)
        pointwise = nn.Conv2d(width, width, 1, bias=False)
        self.block = nn.Sequential(
            nn.Sequential(depthwise, ChannelLayerNorm(width), nn.Hardswish()),
            SqueezeExcitation(width, _squeezed(width)),
            nn.Sequential(pointwise, ChannelLayerNorm(width)),
        )
        self.residual = stride == 1

    def forward(self, grid: Tensor) -> Tensor:
        """[batch, width, n, n] to [batch, width, n / stride, n / stride]."""
        out = self.block(grid)
        return out + grid if self.residual else out


def _squeezed(width: int) -> int:
    """A quarter of the width, rounded to a multiple of 8 as torchvision's _make_divisible."""
    quarter = width // 4
    rounded = max(8, (quarter + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * quarter else rounded


class LdpBlock(nn.Module):
    """The body of LDP; indices 0 of both sequences are the official code's identities."""

    def __init__(self, vision_width: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Identity(), nn.Linear(vision_width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.mb_block = nn.Sequential(
            nn.Identity(), InvertedResidual(width, 1), InvertedResidual(width, 2)
        )

    def forward(self, features: Tensor) -> Tensor:
        """[batch, n * n, vision_width] to [batch, grid * grid, width]."""
        return to_tokens(self.mb_block(to_grid(self.mlp(features))))


class Ldp(nn.Module):
    """Lightweight Downsample Projector of MobileVLM."""

    @staticmethod
    def grid(patches: int) -> int:
        """Tokens a side of so many patches a side: its convolution of stride 2 rounds up."""
        return (patches + 1) // 2

    def __init__(self, vision_width: int, width: int) -> None:
        super().__init__()
        self.model = LdpBlock(vision_width, width)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, n * n, vision_width] to [batch, grid * grid, width]."""
        return self.model(features)  # type: ignore[no-any-return]


class FeatureTransform(nn.Module):
    """The pointwise part of LDPv2."""

    def __init__(self, vision_width: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(vision_width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        """[batch, n * n, vision_width] to [batch, n * n, width]."""
        return self.mlp(features)  # type: ignore[no-any-return]


class PositionalEncoding(nn.Module):
    """A depthwise convolution that is added to its input, so that tokens know their places."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.peg = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, groups=width))

    def forward(self, grid: Tensor) -> Tensor:
        """[batch, width, n, n] to the same."""
        return grid + self.peg(grid)  # type: ignore[no-any-return]


def pool(grid: Tensor) -> Tensor:
    """[batch, width, n, n] to [batch, width, 12, 12], as AdaptiveAvgPool2d does.

    Where 12 does not divide n, windows overlap or repeat; ONNX has no operator for that, so that
    each direction is cut into its windows.
    """
    patches = grid.shape[-1]
    if patches % SIDE == 0:
        return nn.functional.avg_pool2d(grid, patches // SIDE)
    return _pool_axis(_pool_axis(grid, 2, patches), 3, patches)


def _pool_axis(grid: Tensor, axis: int, patches: int) -> Tensor:
    bounds = [(i * patches // SIDE, -(-(i + 1) * patches // SIDE)) for i in range(SIDE)]
    windows = [grid.narrow(axis, begin, end - begin) for begin, end in bounds]
    return torch.cat([window.mean(axis, keepdim=True) for window in windows], axis)


class LdpV2(nn.Module):
    """Lightweight Downsample Projector of MobileVLM V2: 144 tokens, whatever the image's size."""

    @staticmethod
    def grid(patches: int) -> int:
        """Tokens a side."""
        return SIDE

    def __init__(self, vision_width: int, width: int) -> None:
        super().__init__()
        self.mlp = FeatureTransform(vision_width, width)
        self.peg = PositionalEncoding(width)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, n * n, vision_width] to [batch, 144, width]."""
        return to_tokens(self.peg(pool(to_grid(self.mlp(features)))))


PROJECTORS: dict[str, type[Ldp] | type[LdpV2]] = {'ldp': Ldp, 'ldpv2': LdpV2}


def create_projector(kind: str, vision_width: int, width: int) -> Ldp | LdpV2:
    """The projector that `Geometry.projector` names; KeyError if there is none of that name."""
    return PROJECTORS[kind](vision_width, width)
