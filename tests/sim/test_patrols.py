"""Waypoints, and which ways are truly free."""

import itertools
import math

import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.patrols import LEG, WALL_GAP, free_ways, random_waypoints
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World, random_world


def test_waypoints_are_the_same_for_the_same_seed_and_stand_clear_of_the_walls() -> None:
    world = random_world(4)
    points = random_waypoints(world, 4, 10)
    assert points == random_waypoints(world, 4, 10) != random_waypoints(world, 5, 10)
    for x, y in points:
        assert WALL_GAP <= x <= world.width - WALL_GAP and WALL_GAP <= y <= world.depth - WALL_GAP
    assert all(math.dist(a, b) >= LEG for a, b in itertools.pairwise(points))


def test_a_room_without_a_place_to_go_is_an_error() -> None:
    with pytest.raises(ValueError, match='too full for 2 waypoints'):
        random_waypoints(World(2.1, 2.1), 0, 2)


def test_a_thing_ahead_and_to_the_right_leaves_the_left_free() -> None:
    world = World(12.0, 12.0, (Thing('box', 'red', 7.5, 5.5),))
    assert free_ways(world, Pose(6.0, 6.0, 0.0)) == {'ahead': False, 'left': True, 'right': False}
