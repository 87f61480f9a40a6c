"""Dense labels that the simulator gives for free: what covers each patch, how far one can go."""

from __future__ import annotations

import math

import numpy as np

from mobilevlm_ros.sim.camera import Camera, View
from mobilevlm_ros.sim.scenes import Scene
from mobilevlm_ros.sim.things import COLOURS, KINDS
from mobilevlm_ros.sim.truth import HALF_WIDTH, SIDE, SIDE_MARGIN, Sighting, room_ahead

GRID = 20  # patches per side
COLUMNS = GRID // 2  # headings for which free room is labelled
FARTHEST = 5.0  # metres, more room than that counts as this much
COVER = 0.2  # share of a patch that a thing covers to be its label

KIND_NAMES = ('', *KINDS)
COLOUR_NAMES = ('', *COLOURS)
SIDE_NAMES = ('', 'left', 'ahead', 'right')
DISTANCE_STEP = 0.05  # metres, of the distance layer
LAYERS = 5  # kind, colour, distance, side, centre
NOT_CENTRE, CENTRE, PERHAPS = 0, 1, 2


def patch_labels(scene: Scene, view: View, sightings: tuple[Sighting, ...]) -> np.ndarray:
    """What covers each patch: uint8 [GRID, GRID, LAYERS], zero where nothing does.

    Layers: kind, colour and side as indices of their names (side 0 also where it is a close
    call), distance in DISTANCE_STEP (up to 255), and whether the patch is its thing's centre
    (PERHAPS, if the thing itself is doubtful). Every thing has one centre to be counted by.
    """
    covered = _covered(view, len(scene.world.things))
    labels = np.zeros((GRID, GRID, LAYERS), np.uint8)
    for sighting in sightings:
        index = next(i for i, t in enumerate(scene.world.things) if t is sighting.thing)
        own = covered == index
        if own.any():
            labels[own] = (*_describe(sighting), NOT_CENTRE)
            labels[(*_centre(own), 4)] = CENTRE if sighting.sure else PERHAPS
    return labels


def _covered(view: View, things: int) -> np.ndarray:
    """The thing that covers most of each patch, -1 for none: int [GRID, GRID]."""
    size = view.ids.shape[0] // GRID
    cells = view.ids.reshape(GRID, size, GRID, size).transpose(0, 2, 1, 3)
    nothing = np.full((GRID, GRID), COVER * size * size)
    counts = np.stack([nothing, *((cells == i).sum((2, 3)) for i in range(things))])
    return counts.argmax(0) - 1


def _describe(sighting: Sighting) -> tuple[int, int, int, int]:
    thing, u = sighting.thing, sighting.u
    side = 1 + (u > -SIDE) + (u > SIDE)
    close_call = abs(abs(u) - SIDE) < SIDE_MARGIN
    return (
        KIND_NAMES.index(thing.kind),
        COLOUR_NAMES.index(thing.colour),
        int(np.clip(sighting.distance / DISTANCE_STEP, 1, 255)),
        0 if close_call else side,
    )


def _centre(own: np.ndarray) -> tuple[int, int]:
    """The patch of a thing that is nearest to the middle of all its patches."""
    places = np.argwhere(own)
    offsets = places - places.mean(0)
    row, column = places[(offsets**2).sum(1).argmin()]
    return int(row), int(column)


def free_room(scene: Scene) -> np.ndarray:
    """Free metres ahead for COLUMNS headings across the view, float32 in [0, 1] of FARTHEST."""
    across = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 - 1
    headings = -np.arctan(across * math.tan(Camera().fov / 2))
    room = [room_ahead(scene.world, scene.pose, float(h), HALF_WIDTH) for h in headings]
    return np.clip(np.array(room, np.float32) / FARTHEST, 0, 1)
