"""What is true of a view, and what cannot be told from it.

A thing that is barely visible, or lies on the border between two sides, has no one true
description. Every such doubt becomes two readings of the scene, and a question is only asked
where all readings agree on its answer.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.camera import View, render
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World, wall_distance

SURE_HEIGHT = 1 / 8  # of the image's height: such a thing is certainly seen
SURE_SHARE = 0.5  # of its outline: less is hidden by others or by the image's edge
HIDDEN_PIXELS = 6e-4  # of the image: less is certainly not seen
SIDE = 1 / 3  # |u| beyond which a thing is on the left or right rather than ahead
SIDE_MARGIN = 0.05
NEAR = 2.5  # metres
NEAR_MARGIN = 0.25
NEARER_RATIO = 1.15  # two things are told apart by distance from here on
CLEAR = 2.0  # metres of free path that count as clear
CLEAR_MARGIN = 0.2
HALF_WIDTH = 0.45  # metres, half the corridor that the robot needs
WIDTH_MARGIN = 0.10
TURN = math.radians(22)  # heading of the ways to the left and to the right
MOST_READINGS = 32


@dataclass(frozen=True)
class Sighting:
    """A thing in view: `u` in [-1, 1] from left to right, distance in metres to its edge."""

    thing: Thing
    u: float
    distance: float
    sure: bool


@dataclass(frozen=True)
class Seen:
    """A sighting under one reading: certainly there, on one side, near or far."""

    thing: Thing
    side: str  # left, ahead or right
    near: bool
    distance: float
    u: float


Reading = tuple[Seen, ...]


@dataclass(frozen=True)
class Observation:
    """All that is true of a frame; None where the frame does not settle it."""

    sightings: tuple[Sighting, ...]
    readings: tuple[Reading, ...]
    path_clear: bool | None
    free_way: str | None


def observe(world: World, pose: Pose, view: View | None = None) -> Observation:
    """The truth about a view (rendered here if not given)."""
    view = view or render(world, pose)
    sightings = find_sightings(world, pose, view)
    in_view = {id(s.thing) for s in sightings}
    unseen = tuple(t for t in world.things if id(t) not in in_view)
    return Observation(
        sightings,
        _readings(sightings),
        path_clear(world, pose, unseen),
        free_way(world, pose, unseen),
    )


def find_sightings(world: World, pose: Pose, view: View) -> tuple[Sighting, ...]:
    """The things that a view shows, from left to right."""
    h, w = view.ids.shape
    found = []
    for i, outline in view.outlines.items():
        rows, columns = np.nonzero(view.ids == i)
        if len(rows) < HIDDEN_PIXELS * h * w:
            continue
        u = (float(columns.mean()) + 0.5) / w * 2 - 1
        inside = _overlap(outline.left, outline.right, w)
        inside *= _overlap(outline.top, outline.bottom, h)
        share = len(rows) / outline.drawn * inside
        tall = (min(outline.bottom, h) - max(outline.top, 0)) / h
        sure = share >= SURE_SHARE and tall >= SURE_HEIGHT
        thing = world.things[i]
        distance = math.hypot(thing.x - pose.x, thing.y - pose.y) - thing.radius
        found.append(Sighting(thing, u, distance, sure))
    return tuple(sorted(found, key=lambda s: s.u))


def _overlap(low: float, high: float, size: int) -> float:
    """The share of [low, high] that lies within [0, size]."""
    return max(0.0, min(high, size) - max(low, 0.0)) / max(high - low, 1e-6)


def _readings(sightings: tuple[Sighting, ...]) -> tuple[Reading, ...]:
    """All combinations of what the doubtful sightings may be; none if there are too many."""
    options = [_options(s) for s in sightings]
    if math.prod(len(o) for o in options) > MOST_READINGS:
        return ()
    combined = itertools.product(*options)
    return tuple(tuple(seen for seen in reading if seen) for reading in combined)


def _options(s: Sighting) -> list[Seen | None]:
    sides = {_side(s.u - SIDE_MARGIN), _side(s.u + SIDE_MARGIN)}
    nears = {s.distance - NEAR_MARGIN < NEAR, s.distance + NEAR_MARGIN < NEAR}
    seen: list[Seen | None] = [
        Seen(s.thing, side, near, s.distance, s.u)
        for side in sorted(sides)
        for near in sorted(nears)
    ]
    return seen if s.sure else [*seen, None]


def likeliest(observation: Observation) -> Observation:
    """The same with one reading, in which every close call is decided and no doubtful thing is."""
    reading = tuple(
        Seen(s.thing, _side(s.u), s.distance < NEAR, s.distance, s.u)
        for s in observation.sightings
        if s.sure
    )
    return replace(observation, readings=(reading,))


def _side(u: float) -> str:
    return 'left' if u < -SIDE else 'right' if u > SIDE else 'ahead'


def room_ahead(
    world: World, pose: Pose, heading: float, half_width: float, ignored: tuple[Thing, ...] = ()
) -> float:
    """Free metres along a heading (rad, to the left of the robot's) for a corridor this wide."""
    way = Pose(pose.x, pose.y, pose.yaw + heading)
    room = wall_distance(world, way)
    for thing in world.things:
        if thing.kind == 'door' or thing in ignored:
            continue
        forward, left = way.to_robot(thing.x, thing.y)
        reach = thing.radius + half_width
        if forward > 0 and abs(left) < reach:
            inset = max(0.0, abs(left) - half_width)
            room = min(room, forward - math.sqrt(thing.radius**2 - inset**2))
    return room


def _is_clear(world: World, pose: Pose, heading: float, unseen: tuple[Thing, ...]) -> bool | None:
    """Whether a way is clear; None when it is a close call or depends on what is out of view."""
    narrow = room_ahead(world, pose, heading, HALF_WIDTH - WIDTH_MARGIN)
    wide = room_ahead(world, pose, heading, HALF_WIDTH + WIDTH_MARGIN)
    if wide > CLEAR + CLEAR_MARGIN:
        return True
    seen = room_ahead(world, pose, heading, HALF_WIDTH - WIDTH_MARGIN, unseen)
    return False if max(narrow, seen) < CLEAR - CLEAR_MARGIN else None


def path_clear(world: World, pose: Pose, unseen: tuple[Thing, ...]) -> bool | None:
    """Whether the robot can drive CLEAR metres straight ahead."""
    return _is_clear(world, pose, 0.0, unseen)


def free_way(world: World, pose: Pose, unseen: tuple[Thing, ...]) -> str | None:
    """`ahead` where that is clear, else the one side that is, `both` or `none`."""
    ahead = path_clear(world, pose, unseen)
    if ahead is not False:
        return 'ahead' if ahead else None
    sides = {
        side: _is_clear(world, pose, heading, unseen)
        for side, heading in (('left', TURN), ('right', -TURN))
    }
    if None in sides.values():
        return None
    free = [side for side, clear in sides.items() if clear]
    return {0: 'none', 1: free[0] if free else '', 2: 'both'}[len(free)]
