"""A differential-drive robot: integrates velocity commands and stops at what it hits."""

from __future__ import annotations

import math

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.world import World, standing_free

MAX_SPEED = 1.0  # m/s
MAX_TURN = 2.0  # rad/s


def drive(world: World, pose: Pose, v: float, w: float, dt: float) -> tuple[Pose, bool]:
    """Move for `dt` seconds at `v` m/s forward and `w` rad/s to the left.

    Returns:
        the new pose, and whether the robot hit something (it then turned but did not move).
    """
    v = max(-MAX_SPEED, min(MAX_SPEED, v))
    w = max(-MAX_TURN, min(MAX_TURN, w))
    middle = pose.yaw + w * dt / 2
    x = pose.x + v * dt * math.cos(middle)
    y = pose.y + v * dt * math.sin(middle)
    yaw = math.remainder(pose.yaw + w * dt, 2 * math.pi)
    if v and not standing_free(world, x, y):
        return Pose(pose.x, pose.y, yaw), True
    return Pose(x, y, yaw), False
