"""First stage: the tower and the projector learn what covers each patch, from dense labels.

The tower's heads say kind, colour and distance of every patch. The projector's tokens must
besides point at the language model's own embeddings of the words for what they cover, so that
the language stage starts from visual tokens that already lie among the words; and they must tell
which of them is a thing's centre, so that things can be counted and listed one by one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.sim.truth import NEAR
from mobilevlm_ros.training.dataset import Shard
from mobilevlm_ros.training.labels import (
    CENTRE,
    COLOUR_NAMES,
    DISTANCE_STEP,
    GRID,
    KIND_NAMES,
    PERHAPS,
    SIDE_NAMES,
)
from mobilevlm_ros.training.stage import Losses

PLACES = (*SIDE_NAMES[1:], 'near', 'far')
NAMES = (*KIND_NAMES[1:], *COLOUR_NAMES[1:], *PLACES)


class VisionHeads(nn.Module):
    """Linear read-outs that training alone uses."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        outputs = len(KIND_NAMES) + len(COLOUR_NAMES) + 1
        self.patch = nn.Linear(geometry.vision_width, outputs)
        self.centre = nn.Linear(geometry.width, 1)
        self.range = nn.Linear(geometry.width, 1)
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
        words: int64 [20], tokens of the words for NAMES.
        pixels: normalised RGB [b, 3, S, S].
        labels: int64 [b, 16, 16, layers], as `patch_labels` makes them.
        room: float32 [b, 8], as `free_room` makes it.
    """
    features = model.features(pixels)
    tokens = model.projector(features).float()
    losses = _patch_losses(heads.patch(features).float(), labels.flatten(1, 2))
    cells = _cells(labels)
    table = F.normalize(model.llama.get_input_embeddings().weight[words].float(), dim=-1)
    pointing = F.normalize(tokens, dim=-1) @ table.T * heads.scale.exp().clamp(max=60) + heads.bias
    losses['words'] = _masked(pointing, *_word_targets(cells)) * 4
    losses['range'] = _range_loss(heads.range(tokens)[..., 0], cells)
    losses['centre'] = _masked(heads.centre(tokens)[..., 0], *_centre_targets(cells)) * 2
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
    is_near = (labels[..., 2] < NEAR / DISTANCE_STEP).float()
    far = F.binary_cross_entropy_with_logits(near[..., 0], is_near, reduction='none')
    return {
        'kind': (kind * weight).sum() / weight.sum(),
        'colour': (colour * weight).sum() / weight.sum(),
        'near': (far * seen).sum() / seen.sum().clamp(min=1) * 0.3,
    }


def _masked(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy where the target is known."""
    each = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    return (each * known).sum() / known.sum().clamp(min=1)


def _cells(labels: Tensor) -> Tensor:
    """Labels by visual token: [b, GRID, GRID, layers] to [b, tokens, 4 patches, layers]."""
    b, half = len(labels), GRID // 2
    cells = labels.reshape(b, half, 2, half, 2, -1).permute(0, 1, 3, 2, 4, 5)
    return cells.flatten(3, 4).flatten(1, 2)


def _word_targets(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Which of NAMES hold for what a token covers (multi-hot), and where that is known."""
    kind, colour, steps, side, _ = cells.unbind(-1)
    kinds, colours, sides = (
        F.one_hot(layer, len(names))[..., 1:]
        for layer, names in ((kind, KIND_NAMES), (colour, COLOUR_NAMES), (side, SIDE_NAMES))
    )
    seen = kind > 0
    near = steps < NEAR / DISTANCE_STEP
    distance = torch.stack([seen & near, seen & ~near], -1)
    target = torch.cat([kinds, colours, sides, distance.long()], -1).amax(2).float()
    known = torch.ones_like(target)
    close_call = (seen & (side == 0)).any(2)
    first = len(NAMES) - len(PLACES)
    known[..., first : first + sides.shape[-1]] = (~close_call)[..., None].float()
    return target, known


def _range_loss(found: Tensor, cells: Tensor) -> Tensor:
    """Error of the logarithm of the distance to the nearest thing that a token covers."""
    seen = cells[..., 0] > 0
    steps = torch.where(seen, cells[..., 2], 255).amin(2)
    errors = (found - (steps * DISTANCE_STEP).log()).abs()
    known = seen.any(2).float()
    return (errors * known).sum() / known.sum().clamp(min=1)


def _centre_targets(cells: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a token holds the centre of a thing, and where that is known."""
    target = (cells[..., 4] == CENTRE).any(2)
    doubtful = (cells[..., 4] == PERHAPS).any(2) & ~target
    return target.float(), (~doubtful).float()


def to_tensors(shard: Shard, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Images uint8, labels int64 and free room of these rows."""
    images = torch.from_numpy(shard.images[rows])
    return images, torch.from_numpy(shard.labels[rows]).long(), torch.from_numpy(shard.room[rows])
