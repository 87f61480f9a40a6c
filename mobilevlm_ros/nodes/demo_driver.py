"""Drives the demo's robot through the room by the simulator's truth, never touching anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobilevlm_ros.sim.truth import room_ahead
from mobilevlm_ros.sim.world import Pose, World, standing_free

SPEED = 0.45  # m/s
TURN = 0.7  # rad/s
CORRIDOR = 0.40  # metres, half the width that must be free
STOP_AT = 0.8  # metres of room ahead at which the robot turns on the spot
GO_FROM = 1.5  # metres of room ahead at which it goes on
SIDEWAYS = 0.6  # rad, where it looks for the more open side
GAP = 0.08  # metres kept to everything
FORESIGHT = (0.15, 0.3)  # metres of the way ahead at which that gap is checked


@dataclass
class Driver:
    """Goes straight on, a little towards the open side, and turns away from what is near."""

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
        more = self._room(pose, SIDEWAYS) - self._room(pose, -SIDEWAYS)
        return 0.1 * max(-1.0, min(1.0, more))

    def _room(self, pose: Pose, heading: float) -> float:
        return room_ahead(self.world, pose, heading, CORRIDOR)

    def _fits_ahead(self, pose: Pose) -> bool:
        c, s = math.cos(pose.yaw), math.sin(pose.yaw)
        return all(
            standing_free(self.world, pose.x + reach * c, pose.y + reach * s, GAP)
            for reach in FORESIGHT
        )
