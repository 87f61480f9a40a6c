"""The controller, driven by hand and by the simulator's truth."""

import math
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest

from mobilevlm_ros.navigation.config import PatrolConfig
from mobilevlm_ros.navigation.patrol import Patrol
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.navigation.sight import Sight
from mobilevlm_ros.sim.patrols import free_ways, random_waypoints
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.world import World, random_pose, random_world

START = Pose(0.0, 0.0, 0.0)
AHEAD = [(5.0, 0.0)]
STEP = 0.05  # seconds


def patrol(**settings: float) -> Patrol:
    return Patrol(AHEAD, PatrolConfig(**settings))


def test_it_stands_until_it_has_seen_something() -> None:
    command = patrol().steer(START, 0.0)
    assert (command.forward, command.turn, command.doing) == (0.0, 0.0, 'wait')


def test_a_clear_look_sets_it_off_at_full_speed() -> None:
    robot = patrol()
    robot.see(Sight(0.0, START, clear=0.9))
    command = robot.steer(START, 0.1)
    assert command.forward == PatrolConfig().speed and command.doing == 'drive'


@pytest.mark.parametrize('clear', [0.3, None])
def test_it_turns_away_where_the_way_is_not_clear_or_nobody_knows(clear: float | None) -> None:
    robot = patrol()
    robot.see(Sight(0.0, START, clear, left=0.1, right=0.8))
    command = robot.steer(START, 0.1)
    assert command.forward == 0 and command.turn < 0 and command.doing == 'avoid'


def test_it_turns_to_the_waypoint_where_no_side_is_known_to_be_free() -> None:
    robot = Patrol([(5.0, 0.5)])
    robot.see(Sight(0.0, START, clear=0.0))
    assert robot.steer(START, 0.1).turn > 0


def test_it_slows_as_the_last_look_grows_old_and_stands_at_last() -> None:
    robot = patrol(slow_after=0.2, stop_after=1.0)
    robot.see(Sight(0.0, START, clear=1.0))
    speeds = [robot.steer(START, now).forward for now in (0.1, 0.4, 0.8, 1.0, 5.0)]
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] == PatrolConfig().speed and speeds[-2:] == [0.0, 0.0]


def test_it_does_not_even_turn_on_an_old_look() -> None:
    robot = patrol(stop_after=1.0)
    robot.see(Sight(0.0, START, clear=0.0))
    assert robot.steer(START, 0.1).turn and not robot.steer(START, 2.0).turn


def test_a_look_that_comes_late_does_not_replace_a_newer_one() -> None:
    robot = patrol()
    robot.see(Sight(1.0, START, clear=0.0))
    robot.see(Sight(0.5, START, clear=1.0))
    assert robot.steer(START, 1.1).doing == 'avoid'


def test_after_the_last_clear_look_it_goes_only_as_far_as_that_look_reached() -> None:
    robot = patrol(way=1.0)
    robot.see(Sight(0.0, START, clear=1.0))
    robot.see(Sight(0.1, Pose(0.05, 0.0, 0.0), clear=0.0))
    near, far = robot.steer(Pose(0.9, 0, 0), 0.2), robot.steer(Pose(1.1, 0, 0), 0.2)
    assert near.forward == pytest.approx(PatrolConfig().speed / 2)
    assert (far.forward, far.turn, far.doing) == (0.0, 0.0, 'look')


def test_while_turning_it_trusts_no_look_that_was_taken_before() -> None:
    robot = patrol()
    robot.see(Sight(0.0, START, clear=0.0))
    assert robot.steer(START, 0.1).doing == 'avoid'
    turned = Pose(0.0, 0.0, -0.5)
    assert robot.steer(turned, 0.2).doing == 'avoid'
    robot.see(Sight(0.3, turned, clear=1.0))
    assert robot.steer(turned, 0.35).doing == 'pass'


def test_it_turns_back_to_a_clear_way_that_it_has_turned_past() -> None:
    robot = patrol()
    robot.see(Sight(0.0, START, clear=0.0, left=1.0, right=0.0))
    assert robot.steer(START, 0.1).turn > 0
    there, past = Pose(0.0, 0.0, 0.5), Pose(0.0, 0.0, 1.0)
    robot.see(Sight(0.5, there, clear=1.0))
    assert robot.steer(past, 0.8).turn < 0
    robot.see(Sight(0.8, past, clear=0.0))  # says nothing of the way that it turns back to
    assert robot.steer(past, 0.9).turn < 0
    assert robot.steer(Pose(0.0, 0.0, 0.6), 1.0).doing == 'pass'


def test_a_way_that_a_second_look_does_not_find_clear_is_not_turned_back_to() -> None:
    robot = patrol()
    robot.see(Sight(0.0, START, clear=0.0, left=1.0, right=0.0))
    robot.steer(START, 0.1)
    robot.see(Sight(0.5, Pose(0.0, 0.0, 0.5), clear=1.0))
    robot.see(Sight(0.6, Pose(0.0, 0.0, 0.55), clear=0.0))
    assert robot.steer(Pose(0.0, 0.0, 0.55), 0.7).turn > 0


def test_where_no_look_has_shown_the_way_ahead_it_waits_for_one() -> None:
    robot = patrol()
    robot.see(Sight(0.0, Pose(0.0, 0.0, 0.4), clear=1.0))
    command = robot.steer(START, 0.2)  # turned faster than answers come
    assert (command.forward, command.turn, command.doing) == (0.0, 0.0, 'look')
    robot.see(Sight(0.2, START, clear=1.0))
    assert robot.steer(START, 0.4).doing == 'drive'


@pytest.mark.parametrize(('age', 'most'), [(0.1, 0.8), (0.4, 0.5)])
def test_it_turns_no_further_than_a_look_shows_before_the_next_answer(
    age: float, most: float
) -> None:
    robot = patrol(slow_after=0.5)
    robot.see(Sight(0.0, START, clear=0.0))
    assert abs(robot.steer(START, age).turn) == pytest.approx(most)


def test_a_waypoint_that_it_cannot_reach_is_given_up() -> None:
    robot = Patrol([(5.0, 0.0), (0.1, 0.0)], PatrolConfig(give_up=10.0))
    robot.see(Sight(0.0, START, clear=0.0))
    robot.steer(START, 0.0)
    assert robot.steer(START, 10.5).doing == 'done'
    assert (robot.given_up, robot.reached) == ([(5.0, 0.0)], [(0.1, 0.0)])


def truth(world: World, pose: Pose, now: float) -> Sight:
    free = free_ways(world, pose)
    return Sight(now, pose, *(float(free[way]) for way in ('ahead', 'left', 'right')))


def blind(_: World, pose: Pose, now: float) -> Sight:
    return Sight(now, pose, clear=1.0)


Look = Callable[[World, Pose, float], Sight]


def tour(seed: int, look: Look, seconds: float, late_s: float = 0.0) -> tuple[int, int]:
    """Waypoints reached and steps in contact; each answer comes `late_s` after its image."""
    world = random_world(seed)
    pose = random_pose(world, np.random.default_rng(seed))
    robot = Patrol(random_waypoints(world, seed, 20))
    contacts = 0
    coming: deque[Sight] = deque()
    for now in np.arange(0, seconds, STEP):
        coming.append(look(world, pose, float(now)))
        while coming and coming[0].taken_s <= now - late_s:
            robot.see(coming.popleft())
        command = robot.steer(pose, float(now))
        pose, hit = drive(world, pose, command.forward, command.turn, STEP)
        contacts += hit
    return len(robot.reached), contacts


def test_by_the_truth_it_touches_nothing_and_gets_somewhere() -> None:
    tours = [tour(seed, truth, seconds=60.0) for seed in range(8)]
    assert sum(contacts for _, contacts in tours) == 0
    assert sum(reached for reached, _ in tours) >= 2 * len(tours)


def test_late_answers_cost_waypoints_but_few() -> None:
    prompt, late = (
        [tour(seed, truth, 30.0, late_s) for seed in range(12)] for late_s in (0.05, 0.3)
    )
    assert sum(contacts for _, contacts in late) == 0
    assert sum(reached for reached, _ in late) >= 0.75 * sum(reached for reached, _ in prompt)


def test_blind_it_runs_into_things() -> None:
    assert sum(tour(seed, blind, seconds=60.0)[1] for seed in range(8)) > 0


def test_bearings_are_to_the_left_of_the_heading() -> None:
    assert Pose(0, 0, 0).bearing(0, 1) == pytest.approx(math.pi / 2)
    assert Pose(0, 0, math.pi / 2).bearing(1, 0) == pytest.approx(-math.pi / 2)
