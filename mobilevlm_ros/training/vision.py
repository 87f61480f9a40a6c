"""First stage: the tower and the projector learn what covers each patch, from dense labels.

The tower's heads say kind, colour and distance of every patch. The projector's tokens must
besides point at the language model's own embeddings of the words for what they cover, so that
the language stage starts from visual tokens that already lie among the words.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.training.dataset import Shard
from mobilevlm_ros.training.labels import COLOUR_NAMES, GRID, KIND_NAMES
from mobilevlm_ros.training.stage import Losses

NAMES = (*KIND_NAMES[1:], *COLOUR_NAMES[1:])


class VisionHeads(nn.Module):
    """Linear read-outs that training alone uses."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        outputs = len(KIND_NAMES) + len(COLOUR_NAMES) + 1
        self.patch = nn.Linear(geometry.vision_width, outputs)
        self.near = nn.Linear(geometry.width, 1)
        self.room = nn.Linear(geometry.width * GRID // 2, 1)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.bias = nn.Parameter(torch.tensor(-3.0))


def vision_losses(
    model: MobileVlm,
    heads: VisionHeads,
    words: Tensor,
    pixels: Tensor,
    labels: Tensor,
    room: Tensor,
) -> tuple[Losses, Tensor]:
    """The losses of a batch, and its visual tokens.

    Args:
        model: what is trained.
        heads: its read-outs.
        words: int64 [15], tokens of the words for NAMES.
        pixels: normalised RGB [b, 3, S, S].
        labels: int64 [b, 16, 16, 3], as `patch_labels` makes them.
        room: float32 [b, 8], as `free_room` makes it.
    """
    features = model.features(pixels)
    tokens = model.projector(features).float()
    losses = _patch_losses(heads.patch(features).float(), labels.flatten(1, 2))
    names, near, seen = _token_targets(labels)
    table = F.normalize(model.llama.get_input_embeddings().weight[words].float(), dim=-1)
    pointing = F.normalize(tokens, dim=-1) @ table.T * heads.scale.exp().clamp(max=60) + heads.bias
    losses['words'] = F.binary_cross_entropy_with_logits(pointing, names) * 4
    far = F.binary_cross_entropy_with_logits(heads.near(tokens)[..., 0], near, reduction='none')
    losses['token_near'] = (far * seen).sum() / seen.sum().clamp(min=1) * 0.3
    half = GRID // 2
    columns = tokens.reshape(len(tokens), half, half, -1).transpose(1, 2).flatten(2)
    losses['room'] = (heads.room(columns)[..., 0] - room).abs().mean()
    return losses, tokens


def _patch_losses(logits: Tensor, labels: Tensor) -> Losses:
    kinds, colours, near = logits.split([len(KIND_NAMES), len(COLOUR_NAMES), 1], -1)
    seen = (labels[..., 0] > 0).float()
    weight = torch.where(seen > 0, 1.0, 0.25)
    kind = F.cross_entropy(kinds.transpose(1, 2), labels[..., 0], reduction='none')
    colour = F.cross_entropy(colours.transpose(1, 2), labels[..., 1], reduction='none')
    is_near = labels[..., 2].float()
    far = F.binary_cross_entropy_with_logits(near[..., 0], is_near, reduction='none')
    return {
        'kind': (kind * weight).sum() / weight.sum(),
        'colour': (colour * weight).sum() / weight.sum(),
        'near': (far * seen).sum() / seen.sum().clamp(min=1) * 0.3,
    }


def _token_targets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each visual token: its names (multi-hot), near (0 or 1), whether it shows a thing."""
    b, half = len(labels), GRID // 2
    cells = labels.reshape(b, half, 2, half, 2, 3).permute(0, 1, 3, 2, 4, 5).flatten(3, 4)
    cells = cells.flatten(1, 2)  # [b, tokens, 4, 3]
    kinds = F.one_hot(cells[..., 0], len(KIND_NAMES)).amax(2)[..., 1:]
    colours = F.one_hot(cells[..., 1], len(COLOUR_NAMES)).amax(2)[..., 1:]
    near = cells[..., 2].amax(2).float()
    return torch.cat([kinds, colours], -1).float(), near, (cells[..., 0] > 0).any(2).float()


def to_tensors(shard: Shard, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8, labels int64 and free room of these rows."""
    images = torch.from_numpy(shard.images[rows])
    return images, torch.from_numpy(shard.labels[rows]).long(), torch.from_numpy(shard.room[rows])
