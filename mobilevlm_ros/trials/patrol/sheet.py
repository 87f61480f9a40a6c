"""The picture of a patrol: rooms from above with the paths of all robots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mobilevlm_ros.sim.things import COLOURS
from mobilevlm_ros.sim.tours import Tour
from mobilevlm_ros.sim.world import World

SCALE = 32  # pixels a metre
MARGIN = 8  # pixels
COLUMNS = 4
INK = {'model': (20, 110, 200), 'truth': (40, 150, 60), 'blind': (200, 60, 40)}  # RGB
FLOOR, WALL = (250, 248, 244), (90, 90, 90)


def draw_tours(rooms: Sequence[tuple[World, Mapping[str, Tour]]], path: Path) -> None:
    """Save all rooms as one PNG.

    Raises:
        OSError: if the file cannot be written.
    """
    cells = [_draw(world, tours) for world, tours in rooms]
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    cells = [_pad(cell, height, width) for cell in cells]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % min(COLUMNS, len(cells)))
    columns = min(COLUMNS, len(cells))
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    if not cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise OSError(f'{path} cannot be written')


def _draw(world: World, tours: Mapping[str, Tour]) -> np.ndarray:
    """One room, north up, RGB uint8."""
    height, width = round(world.depth * SCALE), round(world.width * SCALE)
    cell = np.full((height, width, 3), FLOOR, np.uint8)
    cv2.rectangle(cell, (0, 0), (width - 1, height - 1), WALL, 2)
    for thing in world.things:
        centre = _pixel(world, thing.x, thing.y)
        radius = round(thing.radius * SCALE)
        cv2.circle(cell, centre, radius, COLOURS[thing.colour], -1, cv2.LINE_AA)
        cv2.circle(cell, centre, radius, WALL, 1, cv2.LINE_AA)
    for mode in reversed(INK):
        if mode in tours:
            points = np.array([_pixel(world, x, y) for x, y in tours[mode].path], np.int32)
            cv2.polylines(cell, [points], False, INK[mode], 1, cv2.LINE_AA)
    return cell


def _pixel(world: World, x: float, y: float) -> tuple[int, int]:
    return round(x * SCALE), round((world.depth - y) * SCALE)


def _pad(cell: np.ndarray, height: int, width: int) -> np.ndarray:
    below, right = height - cell.shape[0] + MARGIN, width - cell.shape[1] + MARGIN
    return np.pad(cell, ((0, below), (0, right), (0, 0)), constant_values=255)
