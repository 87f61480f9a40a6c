"""Places to patrol in a simulated room, and what is true of the ways ahead of the robot."""

from __future__ import annotations

import math

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.truth import CLEAR, HALF_WIDTH, TURN, room_ahead
from mobilevlm_ros.sim.world import World, standing_free

WALL_GAP = 1.0  # metres from the walls
THING_GAP = 0.5  # metres from the things, beside the robot's own radius
LEG = 1.5  # metres from one place to the next at least
TRIES = 5000


def random_waypoints(world: World, seed: int, count: int) -> list[tuple[float, float]]:
    """Places where the robot can stand, metres, the same for the same seed.

    Raises:
        ValueError: if the room is too full.
    """
    rng = np.random.default_rng([seed, 7])
    points: list[tuple[float, float]] = []
    for _ in range(TRIES):
        x, y = (float(v) for v in rng.uniform((0, 0), (world.width, world.depth)))
        apart = not points or math.dist(points[-1], (x, y)) >= LEG
        if apart and _roomy(world, x, y):
            points.append((x, y))
            if len(points) == count:
                return points
    raise ValueError(f'the room is too full for {count} waypoints')


def free_ways(world: World, pose: Pose) -> dict[str, bool]:
    """Whether the robot can drive CLEAR metres ahead, to the left and to the right."""
    headings = {'ahead': 0.0, 'left': TURN, 'right': -TURN}
    return {
        name: room_ahead(world, pose, heading, HALF_WIDTH) > CLEAR
        for name, heading in headings.items()
    }


def _roomy(world: World, x: float, y: float) -> bool:
    from_wall = min(x, y, world.width - x, world.depth - y)
    return from_wall >= WALL_GAP and standing_free(world, x, y, THING_GAP)
