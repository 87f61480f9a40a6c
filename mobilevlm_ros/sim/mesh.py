"""Convex-faced meshes of the simple solids that things are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

TINTS = ('plain', 'dim', 'dark', 'skin', 'frame')


@dataclass(frozen=True)
class Mesh:
    """Vertices float32 [n, 3] in metres; quads int [m, 4], counter-clockwise from outside.

    `tint` int [m] indexes TINTS; `layer` int [m] says what is painted over what (nested solids).
    """

    vertices: np.ndarray
    quads: np.ndarray
    tint: np.ndarray
    layer: np.ndarray


def _mesh(vertices: list, quads: list, tint: str) -> Mesh:
    n = len(quads)
    return Mesh(
        np.asarray(vertices, np.float32),
        np.asarray(quads, np.int32),
        np.full(n, TINTS.index(tint), np.int32),
        np.zeros(n, np.int32),
    )


def merge(*meshes: Mesh) -> Mesh:
    """One mesh of several solids, side by side in one layer."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.quads + s for m, s in zip(meshes, starts, strict=True)]).astype(
            np.int32
        ),
        np.concatenate([m.tint for m in meshes]),
        np.concatenate([m.layer for m in meshes]),
    )


def stack(*meshes: Mesh) -> Mesh:
    """One mesh of several solids, each painted over the ones before it."""
    return merge(*(replace(m, layer=np.full_like(m.layer, i)) for i, m in enumerate(meshes)))


def cuboid(
    size: tuple[float, float, float], centre: tuple[float, float, float], tint: str = 'plain'
) -> Mesh:
    """A box of this size (x, y, z) about this centre."""
    signs = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    vertices = np.array(signs, np.float32) * np.array(size, np.float32) / 2 + centre
    quads = [
        (0, 1, 3, 2),
        (4, 6, 7, 5),
        (0, 4, 5, 1),
        (2, 3, 7, 6),
        (0, 2, 6, 4),
        (1, 5, 7, 3),
    ]
    return _mesh(list(vertices), quads, tint)


def _revolve(profile: list[tuple[float, float]], sides: int, at: tuple, tint: str) -> Mesh:
    """Turn a profile of (radius, z), bottom to top, about a vertical axis through `at`."""
    angles = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    vertices = [(*(ring[i] * r + at), z) for r, z in profile for i in range(sides)]
    quads = []
    for level in range(len(profile) - 1):
        low, high = level * sides, (level + 1) * sides
        for i in range(sides):
            j = (i + 1) % sides
            quads.append((low + i, low + j, high + j, high + i))
    return _mesh(vertices, quads, tint)


def cylinder(
    radius: float,
    low: float,
    high: float,
    at: tuple[float, float] = (0, 0),
    tint: str = 'plain',
    sides: int = 12,
) -> Mesh:
    """An upright cylinder between two heights, closed at both ends."""
    profile = [(0.0, low), (radius, low), (radius, high), (0.0, high)]
    return _revolve(profile, sides, at, tint)


def cone(radius: float, low: float, high: float, sides: int = 14) -> Mesh:
    """An upright cone with a slightly cut tip, as on a road."""
    profile = [(radius, low), (radius * 0.12, high), (0.0, high)]
    return _revolve(profile, sides, (0, 0), 'plain')


def sphere(radius: float, height: float, tint: str = 'plain', sides: int = 14) -> Mesh:
    """A ball whose centre is at this height."""
    tilts = np.linspace(-np.pi / 2, np.pi / 2, 9)
    profile = [(radius * float(np.cos(t)), height + radius * float(np.sin(t))) for t in tilts]
    return _revolve(profile, sides, (0, 0), tint)
