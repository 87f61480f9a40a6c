import pytest

from mobilevlm_ros.sim.questions import nearest
from mobilevlm_ros.sim.start import start_pose
from mobilevlm_ros.sim.truth import observe
from mobilevlm_ros.sim.world import World, random_world, standing_free


@pytest.mark.parametrize('seed', range(12))
def test_the_robot_starts_free_and_in_front_of_something(seed: int) -> None:
    world = random_world(seed)
    pose = start_pose(world, seed)
    assert standing_free(world, pose.x, pose.y)
    ahead = {nearest(reading, 'ahead') for reading in observe(world, pose).readings}
    assert len(ahead) == 1 and not ahead & {'nothing', None}


def test_the_same_seed_starts_at_the_same_place() -> None:
    world = random_world(3)
    assert start_pose(world, 3) == start_pose(world, 3)
    assert start_pose(world, 3) != start_pose(world, 4)


def test_a_robot_starts_in_an_empty_room_too() -> None:
    pose = start_pose(empty := World(5.0, 5.0), 0)
    assert standing_free(empty, pose.x, pose.y)
