"""Which rooms are patrolled."""

from itertools import islice

import pytest

from mobilevlm_ros.sim.patrols import random_waypoints
from mobilevlm_ros.sim.world import random_world
from mobilevlm_ros.trials.patrol.run import WAYPOINTS, rooms

FULL = 25  # a seed whose room has too few places to go to


def test_a_room_that_is_too_full_is_left_out() -> None:
    with pytest.raises(ValueError, match='too full'):
        random_waypoints(random_world(FULL), FULL, WAYPOINTS)
    found = list(islice(rooms(FULL - 1), 3))
    assert [room.seed for room in found] == [FULL - 1, FULL + 1, FULL + 2]
    assert all(len(room.waypoints) == WAYPOINTS for room in found)
