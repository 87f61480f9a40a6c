"""Scenes for training and measuring: a room, a pose, and things placed into the view."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mobilevlm_ros.sim.camera import Camera, View, render
from mobilevlm_ros.sim.things import KINDS, SEEN_PAIRS
from mobilevlm_ros.sim.truth import SURE_HEIGHT, Observation, observe
from mobilevlm_ros.sim.world import (
    Pairs,
    Pose,
    World,
    fits,
    random_door,
    random_pose,
    random_room,
    random_thing,
    random_world,
    standing_free,
)

MOST_THINGS = 6


@dataclass(frozen=True)
class Scene:
    """A frame to be rendered: the room, where the robot stands, and the sensor's noise."""

    world: World
    pose: Pose
    noise_seed: int

    def view(self) -> View:
        """Render it."""
        return render(self.world, self.pose, self.noise_seed)

    def observe(self, view: View | None = None) -> Observation:
        """The truth about it."""
        return observe(self.world, self.pose, view)


def sample_scene(stream: int, index: int, pairs: Pairs = SEEN_PAIRS) -> Scene:
    """The scene of this index; different streams share no scene.

    A third of the scenes are what a robot meets when it wanders through a furnished room, the
    rest have their things placed into the view, so that crowded frames are common.
    """
    rng = np.random.default_rng([stream, index, 4])
    noise_seed = int(rng.integers(1 << 31))
    open_ahead = float(rng.uniform(0.5, 4.5))
    if rng.random() < 0.33:
        world = random_world(int(rng.integers(1 << 31)), int(rng.integers(4, 12)), pairs)
        return Scene(world, random_pose(world, rng, min(open_ahead, 2.0)), noise_seed)
    world = random_room(rng)
    if rng.random() < 0.35:
        world = replace(world, things=(random_door(rng, pairs, world.width, world.depth),))
    pose = random_pose(world, rng, open_ahead)
    return Scene(_furnish_view(world, pose, rng, pairs), pose, noise_seed)


def _furnish_view(world: World, pose: Pose, rng: np.random.Generator, pairs: Pairs) -> World:
    """Place up to MOST_THINGS things at distances from which they can be told."""
    wanted = int(rng.choice(MOST_THINGS + 1, p=[0.04, 0.2, 0.22, 0.2, 0.16, 0.1, 0.08]))
    blocked = rng.random() < 0.35
    for _ in range(wanted * 6):
        if len(world.things) >= wanted:
            break
        thing = random_thing(rng, pairs, 0.0, 0.0)
        farthest = Camera().focal * KINDS[thing.kind].height / (SURE_HEIGHT * 1.05 * 320)
        reach = rng.uniform(0.9, 2.0) if blocked else rng.uniform(1.0, min(farthest, 6.0))
        bearing = rng.uniform(-0.2, 0.2) if blocked else rng.uniform(-0.58, 0.58)
        blocked = False
        angle = pose.yaw + bearing
        x, y = pose.x + reach * math.cos(angle), pose.y + reach * math.sin(angle)
        thing = replace(thing, x=float(x), y=float(y))
        grown = replace(world, things=(*world.things, thing))
        if fits(thing, world) and standing_free(grown, pose.x, pose.y, gap=0.1):
            world = grown
    return world
