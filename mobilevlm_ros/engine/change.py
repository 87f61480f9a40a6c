"""Whether a view has changed: enough to be looked at, and enough to be spoken of.

Views are compared with the one that was last looked at or spoken of, never with the one just
before, so that a slow drift adds up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mobilevlm_ros.engine.types import Floats, Pixels

SIDE = 32  # of a thumbnail
_SAMPLES = 4  # pixels a side that are averaged for one of its cells
_BLOCK = 4  # cells a side in which differences are averaged
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Reason(IntEnum):
    """Why a caption is sent: the constants of msg/Caption."""

    FIRST = 0
    CHANGE = 1
    HEARTBEAT = 2
    RATE = 3


def luma_thumbnail(pixels: Pixels) -> Floats:
    """Coarse luma of an RGB image, divided by its mean: float32 (32, 32), 1 on average.

    Every cell is the mean of 16 pixels spread over it, so the cost does not grow with the image.
    A change of exposure scales all pixels alike and leaves no trace.
    """
    rows, columns = (np.arange(SIDE * _SAMPLES) * n // (SIDE * _SAMPLES) for n in pixels.shape[:2])
    luma = pixels[rows[:, None], columns].astype(np.float32) @ _LUMA
    cells = luma.reshape(SIDE, _SAMPLES, SIDE, _SAMPLES).mean(axis=(1, 3))
    thumbnail: Floats = cells / max(float(cells.mean()), 1.0)  # of a black image noise is left
    return thumbnail


def luma_change(before: Floats, after: Floats) -> float:
    """How much two thumbnails differ where they differ most: 0 not at all, 1 by the mean luma.

    Differences are averaged over 4 x 4 cells: a sixty-fourth of the image has to change.
    """
    blocks = SIDE // _BLOCK
    differences = np.abs(after - before).reshape(blocks, _BLOCK, blocks, _BLOCK)
    return float(differences.mean(axis=(1, 3)).max())


def token_change(before: Floats, after: Floats) -> float:
    """Cosine distance of two views' visual tokens, float32 (n, width): 0 the same, 2 opposite.

    All tokens make one vector. Averaging them first would lose where things are, and told views
    of which different captions are true apart less well (docs/captions.md).
    """
    a, b = before.ravel(), after.ravel()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    if scale == 0.0:
        return 0.0 if np.array_equal(a, b) else 1.0
    return min(2.0, max(0.0, 1.0 - float(a @ b) / scale))


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What counts as a change."""

    look_change: float = 0.04  # of luma_change; 0: look at every frame
    caption_change: float = 0.01  # of token_change; 0: speak of every view, at a fixed rate
    heartbeat_s: float = 10.0  # speak after so long whatever is seen; 0: never
    period_s: float = 1.0  # least time between two captions


class ChangeGate:
    """What was last looked at and spoken of of one camera, and whether it is time again.

    Times are those at which the look at a frame began, in seconds on any one clock.
    """

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._looked: Floats | None = None  # thumbnail
        self._told: Floats | None = None  # visual tokens
        self.told_at = math.inf  # when a view was last spoken of

    def must_look(self, thumbnail: Floats, now: float) -> bool:
        """Whether a frame is worth encoding: it differs, or a heartbeat will be about it."""
        if self._looked is None or not self._settings.look_change:
            return True
        changed = luma_change(self._looked, thumbnail) >= self._settings.look_change
        return changed or self._heartbeat_due(now)

    def look(self, thumbnail: Floats) -> None:
        """Note that a frame is looked at."""
        self._looked = thumbnail

    def change(self, visual: Floats) -> float:
        """How far a view is from the one last spoken of; 0 if there was none."""
        return 0.0 if self._told is None else token_change(self._told, visual)

    def reason(self, change: float, now: float) -> Reason | None:
        """Why to speak of a view that is so far from the last one; None: say nothing."""
        if self._told is None:
            return Reason.FIRST
        if now - self.told_at < self._settings.period_s:
            return None
        if not self._settings.caption_change:
            return Reason.RATE
        if change >= self._settings.caption_change:
            return Reason.CHANGE
        return Reason.HEARTBEAT if self._heartbeat_due(now) else None

    def tell(self, visual: Floats, now: float) -> None:
        """Note that a view is spoken of."""
        self._told, self.told_at = visual, now

    def _heartbeat_due(self, now: float) -> bool:
        after_s = self._settings.heartbeat_s
        return bool(after_s) and now - self.told_at >= after_s
