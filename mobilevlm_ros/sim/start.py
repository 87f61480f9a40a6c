"""Where the simulated robot starts: in front of something."""

from __future__ import annotations

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.questions import nearest
from mobilevlm_ros.sim.truth import observe
from mobilevlm_ros.sim.world import World, random_pose

TRIES = 100


def start_pose(world: World, seed: int) -> Pose:
    """The first of TRIES random poses with one thing certainly ahead, else the last of them.

    Raises:
        ValueError: if the room is too full to stand in.
    """
    rng = np.random.default_rng(seed)
    for _ in range(TRIES):
        pose = random_pose(world, rng)
        if _something_ahead(world, pose):
            break
    return pose


def _something_ahead(world: World, pose: Pose) -> bool:
    found = {nearest(reading, 'ahead') for reading in observe(world, pose).readings}
    return len(found) == 1 and not found & {None, 'nothing'}
