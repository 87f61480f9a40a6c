import math

import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.robot import MAX_SPEED, drive
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World

EMPTY = World(8.0, 8.0)
START = Pose(2.0, 4.0, 0.0)


def test_drives_forward() -> None:
    pose, hit = drive(EMPTY, START, 0.5, 0.0, 2.0)
    assert (pose.x, pose.y, hit) == (pytest.approx(3.0), pytest.approx(4.0), False)


def test_turns_to_the_left_on_a_positive_rate() -> None:
    pose, _ = drive(EMPTY, START, 0.0, 1.0, 0.5)
    assert pose.yaw == pytest.approx(0.5) and (pose.x, pose.y) == (2.0, 4.0)


def test_full_circle_comes_back() -> None:
    pose = START
    for _ in range(628):
        pose, _ = drive(EMPTY, pose, 0.5, 1.0, 0.01)
    assert math.hypot(pose.x - START.x, pose.y - START.y) < 0.02


def test_stops_at_a_thing_and_says_so() -> None:
    world = World(8.0, 8.0, (Thing('box', 'red', 3.0, 4.0),))
    pose, hit = START, False
    for _ in range(40):
        pose, hit = drive(world, pose, 0.5, 0.0, 0.1)
    assert hit and pose.x < 3.0 - world.things[0].radius - 0.25


def test_stops_at_the_wall() -> None:
    pose, hit = drive(EMPTY, Pose(7.5, 4.0, 0.0), 1.0, 0.0, 1.0)
    assert hit and pose.x == 7.5


def test_commands_beyond_its_power_are_cut() -> None:
    pose, _ = drive(EMPTY, START, 99.0, 0.0, 1.0)
    assert pose.x == pytest.approx(START.x + MAX_SPEED)
