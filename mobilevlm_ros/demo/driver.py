"""Drives the demo's robot about the room by the simulator's truth: looks at things, hits none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.truth import room_ahead
from mobilevlm_ros.sim.world import World, standing_free

SPEED = 0.45  # m/s
TURN = 0.8  # rad/s
CORRIDOR = 0.40  # metres, half the width that must be free
STOP_AT = 1.3  # metres of room ahead at which the robot turns on the spot
GO_FROM = 2.0  # metres of room ahead at which it goes on
SIDEWAYS = 0.6  # rad, where it looks for the more open side
VIEW = 0.7  # metres sideways per metre ahead that it sees
GAP = 0.08  # metres kept to everything
FORESIGHT = (0.15, 0.3)  # metres of the way ahead at which that gap is checked


@dataclass
class Driver:
    """Heads for the things it sees, and turns on the spot before what is near."""

    world: World
    turning: float = 0.0  # rad/s to the left while turning on the spot, else 0

    def steer(self, pose: Pose) -> tuple[float, float]:
        """Forward speed in m/s and turn rate in rad/s to the left."""
        ahead = self._room(pose, 0.0) if self._fits_ahead(pose) else 0.0
        if ahead < (GO_FROM if self.turning else STOP_AT):
            self.turning = self.turning or self._away(pose)
            return 0.0, self.turning
        self.turning = 0.0
        return SPEED * min(1.0, ahead / GO_FROM), self._lean(pose)

    def _away(self, pose: Pose) -> float:
        return TURN if self._room(pose, SIDEWAYS) > self._room(pose, -SIDEWAYS) else -TURN

    def _lean(self, pose: Pose) -> float:
        """Turn rate towards the nearest thing in view that is not too near, if there is one."""
        seen = (pose.to_robot(thing.x, thing.y) for thing in self.world.things)
        ahead = [(x, y) for x, y in seen if math.hypot(x, y) > GO_FROM and abs(y) < x * VIEW]
        x, y = min(ahead, key=lambda at: math.hypot(*at), default=(1.0, 0.0))
        return 0.5 * math.atan2(y, x)

    def _room(self, pose: Pose, heading: float) -> float:
        return room_ahead(self.world, pose, heading, CORRIDOR)

    def _fits_ahead(self, pose: Pose) -> bool:
        c, s = math.cos(pose.yaw), math.sin(pose.yaw)
        return all(
            standing_free(self.world, pose.x + reach * c, pose.y + reach * s, GAP)
            for reach in FORESIGHT
        )
