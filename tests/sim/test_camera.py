import math

import numpy as np
import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.camera import Camera, render
from mobilevlm_ros.sim.things import KINDS, Thing
from mobilevlm_ros.sim.world import World

POSE = Pose(1.0, 4.0, 0.0)


def room(*things: Thing) -> World:
    return World(8.0, 8.0, things)


def test_the_same_seed_gives_the_same_pixels() -> None:
    world = room(Thing('cone', 'red', 3.0, 4.0))
    assert (render(world, POSE, 5).image == render(world, POSE, 5).image).all()
    assert (render(world, POSE, 5).image != render(world, POSE, 6).image).any()


@pytest.mark.parametrize('kind', [k for k in KINDS if k != 'door'])
def test_a_thing_ahead_appears_in_the_middle_in_its_colour(kind: str) -> None:
    view = render(room(Thing(kind, 'red', 3.5, 4.0)), POSE)
    rows, columns = np.nonzero(view.ids == 0)
    assert abs(columns.mean() - 159.5) < 8
    red, green, blue = view.image[rows, columns].mean(0)
    assert red > 1.8 * green and red > 1.8 * blue


def test_a_thing_to_the_left_appears_on_the_left() -> None:
    view = render(room(Thing('ball', 'blue', 3.5, 5.0)), POSE)
    assert np.nonzero(view.ids == 0)[1].mean() < 120


@pytest.mark.parametrize('distance', [1.5, 3.0, 5.0])
def test_heights_follow_the_pinhole(distance: float) -> None:
    view = render(room(Thing('barrel', 'green', POSE.x + distance, 4.0)), POSE)
    rows = np.nonzero((view.ids == 0).any(1))[0]
    near_face = distance - KINDS['barrel'].radius
    expected = KINDS['barrel'].height * Camera().focal / near_face
    assert abs(len(rows) - min(expected, 320)) < 0.08 * expected + 2


def test_a_near_thing_hides_a_far_one() -> None:
    hidden = Thing('ball', 'blue', 6.0, 4.0)
    alone = render(room(hidden), POSE)
    behind = render(room(hidden, Thing('barrel', 'red', 2.2, 4.0)), POSE)
    assert (alone.ids == 0).sum() > 100
    assert (behind.ids == 0).sum() == 0


def test_a_thing_behind_the_robot_is_not_drawn() -> None:
    view = render(room(Thing('person', 'red', 0.3, 4.0)), Pose(2.0, 4.0, 0.0))
    assert not view.outlines and (view.ids == -1).all()


def test_a_thing_at_the_lens_is_cut_and_not_torn() -> None:
    view = render(room(Thing('table', 'red', 1.5, 4.0)), POSE)
    assert view.image.shape == (320, 320, 3) and (view.ids == 0).any()


def test_turning_left_moves_things_right() -> None:
    world = room(Thing('cone', 'red', 4.0, 4.0))
    straight = np.nonzero(render(world, POSE).ids == 0)[1].mean()
    turned = np.nonzero(render(world, Pose(1.0, 4.0, math.radians(10))).ids == 0)[1].mean()
    assert turned > straight + 20
