"""The kinds of thing that stand in the simulated room, their sizes, colours and meshes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from mobilevlm_ros.sim.mesh import Mesh, cone, cuboid, cylinder, merge, sphere, stack

COLOURS: dict[str, tuple[int, int, int]] = {
    'red': (200, 32, 36),
    'green': (38, 148, 60),
    'blue': (36, 72, 200),
    'yellow': (232, 208, 40),
    'orange': (240, 124, 24),
    'purple': (128, 44, 160),
    'white': (236, 236, 232),
    'black': (34, 34, 38),
}

# Kept out of training, so that `mobilevlm eval` can ask for pairs that were never seen.
UNSEEN_PAIRS = frozenset(
    {
        ('blue', 'box'),
        ('yellow', 'ball'),
        ('red', 'barrel'),
        ('green', 'cone'),
        ('white', 'person'),
        ('purple', 'table'),
        ('orange', 'door'),
    }
)


@dataclass(frozen=True)
class Kind:
    """One kind of thing: plural for questions, nominal height and footprint radius in metres."""

    plural: str
    height: float
    radius: float
    spread: float = 0.15  # a thing's scale lies within 1 +- spread


KINDS: dict[str, Kind] = {
    'box': Kind('boxes', 0.60, 0.42),
    'ball': Kind('balls', 0.62, 0.31),
    'cone': Kind('cones', 0.80, 0.30),
    'barrel': Kind('barrels', 0.95, 0.32),
    'person': Kind('people', 1.70, 0.28, 0.08),
    'door': Kind('doors', 2.00, 0.10, 0.05),
    'table': Kind('tables', 0.72, 0.62, 0.10),
}

SEEN_PAIRS = tuple(
    (colour, kind) for kind in KINDS for colour in COLOURS if (colour, kind) not in UNSEEN_PAIRS
)


@dataclass(frozen=True)
class Thing:
    """A thing standing in the room: position of its footprint's centre in metres, yaw in rad."""

    kind: str
    colour: str
    x: float
    y: float
    yaw: float = 0.0
    scale: float = 1.0

    @property
    def radius(self) -> float:
        """Radius of the footprint in metres."""
        return KINDS[self.kind].radius * self.scale

    @property
    def height(self) -> float:
        """Height above the floor in metres."""
        return KINDS[self.kind].height * self.scale

    @property
    def name(self) -> str:
        """Colour and kind, as in `red box`."""
        return f'{self.colour} {self.kind}'

    def vertices(self) -> np.ndarray:
        """World coordinates of the mesh's vertices, float32 [n, 3], z up."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
        return mesh_of(self.kind).vertices * self.scale @ turn.T + (self.x, self.y, 0)


def _box() -> Mesh:
    return cuboid((0.6, 0.6, 0.6), (0, 0, 0.3))


def _ball() -> Mesh:
    return sphere(0.31, 0.31)


def _cone() -> Mesh:
    return stack(cuboid((0.56, 0.56, 0.06), (0, 0, 0.03)), cone(0.24, 0.06, 0.80))


def _barrel() -> Mesh:
    rings = [cylinder(0.335, z, z + 0.05, tint='dark') for z in (0.25, 0.65)]
    return stack(cylinder(0.31, 0.0, 0.95), merge(*rings))


def _person() -> Mesh:
    legs = [cylinder(0.09, 0.0, 0.75, (0, y), tint='dim', sides=8) for y in (-0.11, 0.11)]
    arms = [cylinder(0.06, 0.75, 1.35, (0, y), tint='dim', sides=6) for y in (-0.29, 0.29)]
    return merge(*legs, *arms, cylinder(0.23, 0.72, 1.42), sphere(0.14, 1.56, tint='skin'))


def _door() -> Mesh:
    frame = [cuboid((0.10, 0.09, 2.0), (0, y, 1.0), tint='frame') for y in (-0.5, 0.5)]
    lintel = cuboid((0.10, 1.09, 0.09), (0, 0, 1.96), tint='frame')
    knob = cuboid((0.10, 0.07, 0.07), (0.05, 0.34, 1.0), tint='dark')
    slab = cuboid((0.06, 0.92, 1.92), (0, 0, 0.96))
    return stack(slab, merge(*frame, lintel), knob)


def _table() -> Mesh:
    corners = [(x, y) for x in (-0.36, 0.36) for y in (-0.48, 0.48)]
    legs = [cuboid((0.07, 0.07, 0.66), (x, y, 0.33), tint='dim') for x, y in corners]
    return stack(merge(*legs), cuboid((0.84, 1.10, 0.09), (0, 0, 0.68)))


@cache
def mesh_of(kind: str) -> Mesh:
    """The mesh of a kind at scale 1, standing on z = 0 and facing +x."""
    makers = {
        'box': _box,
        'ball': _ball,
        'cone': _cone,
        'barrel': _barrel,
        'person': _person,
        'door': _door,
        'table': _table,
    }
    return makers[kind]()
