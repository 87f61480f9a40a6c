import math

import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.truth import observe
from mobilevlm_ros.sim.world import World

POSE = Pose(1.0, 5.0, 0.0)


def room(*things: Thing) -> World:
    return World(10.0, 10.0, things)


def test_things_are_on_the_side_where_they_are_seen() -> None:
    world = room(
        Thing('barrel', 'red', 5.0, 6.9),
        Thing('barrel', 'green', 5.0, 5.0),
        Thing('barrel', 'blue', 5.0, 3.1),
    )
    (reading,) = observe(world, POSE).readings
    sides = [(s.thing.colour, s.side) for s in reading]
    assert sides == [('red', 'left'), ('green', 'ahead'), ('blue', 'right')]


def test_a_thing_on_the_border_of_two_sides_leaves_two_readings() -> None:
    bearing = math.atan(math.tan(math.radians(37.5)) / 3)
    world = room(Thing('barrel', 'red', 1 + 4 * math.cos(bearing), 5 + 4 * math.sin(bearing)))
    assert {r[0].side for r in observe(world, POSE).readings} == {'left', 'ahead'}


def test_a_thing_too_small_to_be_sure_of_may_or_may_not_be_counted() -> None:
    world = room(Thing('ball', 'red', 6.5, 5.0))
    assert {len(r) for r in observe(world, POSE).readings} == {0, 1}


def test_a_thing_mostly_hidden_may_or_may_not_be_counted() -> None:
    world = room(Thing('barrel', 'red', 2.6, 5.0), Thing('barrel', 'blue', 4.2, 5.55))
    assert {len(r) for r in observe(world, POSE).readings} == {1, 2}


def test_near_and_far_differ_and_the_border_is_open() -> None:
    def nears(x: float) -> set[bool]:
        readings = observe(room(Thing('barrel', 'red', 1.32 + x, 5.0)), POSE).readings
        return {r[0].near for r in readings}

    assert nears(2.0) == {True}
    assert nears(2.5) == {True, False}
    assert nears(3.0) == {False}


@pytest.mark.parametrize(
    ('thing', 'clear'),
    [
        (None, True),
        (Thing('box', 'red', 2.3, 5.0), False),
        (Thing('box', 'red', 2.3, 6.2), True),
        (Thing('box', 'red', 2.3, 5.85), None),  # would graze the robot
        (Thing('box', 'red', 3.4, 5.0), None),  # about as far as counts as clear
        (Thing('box', 'red', 4.5, 5.0), True),
    ],
)
def test_the_path_is_clear_unless_something_stands_in_it(
    thing: Thing | None, clear: bool | None
) -> None:
    assert observe(room(*[thing] if thing else []), POSE).path_clear is clear


def test_a_wall_blocks_the_path() -> None:
    assert observe(room(), Pose(1.0, 5.0, math.pi)).path_clear is False


def test_the_free_way_leads_round_what_blocks() -> None:
    block = Thing('box', 'red', 2.2, 5.0)
    left, right = Thing('table', 'red', 2.4, 5.9), Thing('table', 'red', 2.4, 4.1)
    assert observe(room(), POSE).free_way == 'ahead'
    assert observe(room(block, left, right), POSE).free_way == 'none'
