"""The room, what stands in it, and how it is lit: everything that a frame is rendered from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.things import KINDS, SEEN_PAIRS, Thing

Pairs = tuple[tuple[str, str], ...]
ROBOT_RADIUS = 0.30  # metres


@dataclass(frozen=True)
class Look:
    """Light and surfaces of a room; `texture` seeds the patterns of floor and walls."""

    texture: int = 0
    floor: tuple[int, int, int] = (150, 140, 126)
    wall: tuple[int, int, int] = (190, 186, 176)
    light_yaw: float = 0.7  # rad, where the light comes from
    ambient: float = 0.6  # share of light that has no direction
    warmth: float = 0.0  # -1 blueish to 1 reddish light


@dataclass(frozen=True)
class World:
    """A rectangular room from (0, 0) to (width, depth) in metres, and its things."""

    width: float
    depth: float
    things: tuple[Thing, ...] = ()
    look: Look = field(default_factory=Look)


def random_look(rng: np.random.Generator) -> Look:
    """Muted surfaces, so that a thing's colour is never the room's."""

    def muted(low: int, high: int) -> tuple[int, int, int]:
        grey = rng.uniform(low, high)
        r, g, b = np.clip(grey + rng.uniform(-16, 16, 3), 0, 255)
        return int(r), int(g), int(b)

    return Look(
        texture=int(rng.integers(1 << 30)),
        floor=muted(90, 170),
        wall=muted(130, 205),
        light_yaw=float(rng.uniform(-math.pi, math.pi)),
        ambient=float(rng.uniform(0.5, 0.75)),
        warmth=float(rng.uniform(-1, 1)),
    )


def random_thing(
    rng: np.random.Generator, pairs: Pairs, x: float, y: float, kind: str = ''
) -> Thing:
    """A thing at a place, its colour and kind drawn evenly over the kinds that `pairs` has."""
    kinds = sorted({k for _, k in pairs} - {'door'})
    kind = kind or kinds[rng.integers(len(kinds))]
    colours = [c for c, k in pairs if k == kind]
    spread = KINDS[kind].spread
    return Thing(
        kind,
        colours[rng.integers(len(colours))],
        x,
        y,
        float(rng.uniform(-math.pi, math.pi)),
        float(rng.uniform(1 - spread, 1 + spread)),
    )


def random_door(rng: np.random.Generator, pairs: Pairs, width: float, depth: float) -> Thing:
    """A door in one of the four walls, facing into the room."""
    side = int(rng.integers(4))
    along = float(rng.uniform(0.8, (width if side % 2 else depth) - 0.8))
    x, y, yaw = (
        (0.03, along, 0.0),
        (along, 0.03, math.pi / 2),
        (width - 0.03, along, math.pi),
        (along, depth - 0.03, -math.pi / 2),
    )[side]
    colours = [c for c, k in pairs if k == 'door']
    return Thing('door', colours[rng.integers(len(colours))], x, y, yaw)


def fits(thing: Thing, world: World, gap: float = 0.15) -> bool:
    """Whether a thing can stand there: inside the room and clear of what is in it already."""
    if thing.kind != 'door':
        r = thing.radius
        if not (r < thing.x < world.width - r and r < thing.y < world.depth - r):
            return False
    return all(
        math.hypot(thing.x - o.x, thing.y - o.y)
        > thing.radius + o.radius + gap + 0.5 * ((thing.kind == 'door') + (o.kind == 'door'))
        for o in world.things
    )


def random_room(rng: np.random.Generator) -> World:
    """An empty room."""
    width, depth = rng.uniform(5.0, 9.0, 2)
    return World(float(width), float(depth), (), random_look(rng))


def random_world(seed: int, things: int = 9, pairs: Pairs = SEEN_PAIRS) -> World:
    """A furnished room for the robot to drive in, the same for the same seed."""
    rng = np.random.default_rng([seed, 1])
    world = random_room(rng)
    doors = int(rng.integers(1, 3)) if any(k == 'door' for _, k in pairs) else 0
    for _ in range(200):
        if len(world.things) >= things:
            break
        if len(world.things) < doors:
            thing = random_door(rng, pairs, world.width, world.depth)
        else:
            x, y = rng.uniform(0.4, world.width - 0.4), rng.uniform(0.4, world.depth - 0.4)
            thing = random_thing(rng, pairs, float(x), float(y))
        if fits(thing, world, gap=0.5):
            world = World(world.width, world.depth, (*world.things, thing), world.look)
    return world


def standing_free(world: World, x: float, y: float, gap: float = 0.0) -> bool:
    """Whether the robot's disc touches neither wall nor thing at (x, y)."""
    r = ROBOT_RADIUS + gap
    if not (r < x < world.width - r and r < y < world.depth - r):
        return False
    return all(
        math.hypot(x - t.x, y - t.y) > r + t.radius for t in world.things if t.kind != 'door'
    )


def wall_distance(world: World, pose: Pose) -> float:
    """Metres to the wall along the robot's heading, whatever stands between."""
    dx, dy = math.cos(pose.yaw), math.sin(pose.yaw)
    tx = ((world.width if dx > 0 else 0.0) - pose.x) / dx if abs(dx) > 1e-9 else math.inf
    ty = ((world.depth if dy > 0 else 0.0) - pose.y) / dy if abs(dy) > 1e-9 else math.inf
    return min(tx, ty)


def random_pose(world: World, rng: np.random.Generator, open_ahead: float = 0.0) -> Pose:
    """A pose where the robot stands free, at least `open_ahead` metres from the wall it faces.

    Raises:
        ValueError: if the room is too full to stand in.
    """
    for _ in range(500):
        x, y = rng.uniform(0, world.width), rng.uniform(0, world.depth)
        pose = Pose(float(x), float(y), float(rng.uniform(-math.pi, math.pi)))
        if standing_free(world, x, y, gap=0.2) and wall_distance(world, pose) >= open_ahead:
            return pose
    raise ValueError('no free place for the robot in this room')
