import numpy as np

from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.sim.things import SEEN_PAIRS, UNSEEN_PAIRS
from mobilevlm_ros.sim.world import random_pose, random_world, standing_free


def test_the_same_seed_furnishes_the_same_room() -> None:
    assert random_world(3) == random_world(3)
    assert random_world(3) != random_world(4)


def test_things_stand_inside_and_apart() -> None:
    for seed in range(20):
        world = random_world(seed)
        standing = [t for t in world.things if t.kind != 'door']
        for i, t in enumerate(standing):
            assert t.radius < t.x < world.width - t.radius
            assert t.radius < t.y < world.depth - t.radius
            for o in standing[:i]:
                assert np.hypot(t.x - o.x, t.y - o.y) > t.radius + o.radius


def test_robots_are_placed_where_they_fit() -> None:
    for seed in range(20):
        world = random_world(seed)
        pose = random_pose(world, np.random.default_rng(seed))
        assert standing_free(world, pose.x, pose.y)


def test_training_scenes_never_show_a_pair_that_is_kept_out() -> None:
    shown = {(t.colour, t.kind) for i in range(300) for t in sample_scene(0, i).world.things}
    assert not shown & UNSEEN_PAIRS
    assert len(shown) > 0.9 * len(SEEN_PAIRS)


def test_streams_share_no_scene() -> None:
    assert sample_scene(0, 0) == sample_scene(0, 0)
    assert all(sample_scene(0, i).world != sample_scene(1000, i).world for i in range(20))
