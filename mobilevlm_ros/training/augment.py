"""Pixels for training: normalised as CLIP's, some frames with a real camera's accidents."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def normalise(images: Tensor) -> Tensor:
    """uint8 [b, S, S, 3] to float32 [b, 3, S, S], as the deployed preprocessing does."""
    scaled = images.to(torch.float32) / 255
    return ((scaled - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2).contiguous()


def augment(images: Tensor, generator: torch.Generator, share: float = 0.5) -> Tensor:
    """Normalised pixels; on a `share` of the images gain, a small roll, softness and grain."""
    pixels = normalise(images)
    count = int(len(pixels) * share)
    if count:
        pixels[:count] = _disturb(pixels[:count], generator)
    return pixels


def _disturb(pixels: Tensor, generator: torch.Generator) -> Tensor:
    b = len(pixels)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    black = torch.tensor([-m / s for m, s in zip(MEAN, STD, strict=True)]).view(3, 1, 1)
    gain = uniform(0.7, 1.3, b, 1, 1, 1) * uniform(0.94, 1.06, b, 3, 1, 1)
    pixels = (pixels - black) * gain + black
    angle = uniform(-0.07, 0.07, b)
    zero = torch.zeros_like(angle)
    turn = torch.stack([angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero], 1).view(
        b, 2, 3
    )
    grid = F.affine_grid(turn, list(pixels.shape), align_corners=False)
    pixels = F.grid_sample(pixels, grid, padding_mode='reflection', align_corners=False)
    soft = F.avg_pool2d(pixels, 3, 1, 1, count_include_pad=False)
    mix = uniform(0.0, 0.8, b, 1, 1, 1)
    grain = torch.randn(pixels.shape, generator=generator) * uniform(0, 0.12, b, 1, 1, 1)
    return pixels * (1 - mix) + soft * mix + grain
