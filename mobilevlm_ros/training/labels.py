"""Dense labels that the simulator gives for free: what covers each patch, how far one can go."""

from __future__ import annotations

import math

import numpy as np

from mobilevlm_ros.sim.camera import Camera, View
from mobilevlm_ros.sim.scenes import Scene
from mobilevlm_ros.sim.things import COLOURS, KINDS
from mobilevlm_ros.sim.truth import HALF_WIDTH, NEAR, room_ahead

GRID = 16  # patches per side
COLUMNS = 8  # headings for which free room is labelled
FARTHEST = 5.0  # metres, more room than that counts as this much
COVER = 0.2  # share of a patch that a thing covers to be its label

KIND_NAMES = ('', *KINDS)
COLOUR_NAMES = ('', *COLOURS)


def patch_labels(scene: Scene, view: View) -> np.ndarray:
    """What covers each patch: uint8 [GRID, GRID, 3] of kind, colour (0: none), near (0 or 1)."""
    things = scene.world.things
    size = view.ids.shape[0] // GRID
    cells = view.ids.reshape(GRID, size, GRID, size).transpose(0, 2, 1, 3)
    nothing = [np.zeros((GRID, GRID), int)]
    counts = np.stack([(cells == i).sum((2, 3)) for i in range(len(things))] or nothing)
    best, most = counts.argmax(0), counts.max(0)
    labels = np.zeros((GRID, GRID, 3), np.uint8)
    for i, thing in enumerate(things):
        covered = (best == i) & (most >= COVER * size * size)
        distance = math.hypot(thing.x - scene.pose.x, thing.y - scene.pose.y) - thing.radius
        labels[covered] = (
            KIND_NAMES.index(thing.kind),
            COLOUR_NAMES.index(thing.colour),
            distance < NEAR,
        )
    return labels


def free_room(scene: Scene) -> np.ndarray:
    """Free metres ahead for COLUMNS headings across the view, float32 in [0, 1] of FARTHEST."""
    across = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 - 1
    headings = -np.arctan(across * math.tan(Camera().fov / 2))
    room = [room_ahead(scene.world, scene.pose, float(h), HALF_WIDTH) for h in headings]
    return np.clip(np.array(room, np.float32) / FARTHEST, 0, 1)
