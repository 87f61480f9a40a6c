"""A robot on the floor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """The robot on the floor: metres and radians, yaw counter-clockwise from +x (REP 103)."""

    x: float
    y: float
    yaw: float

    def to_robot(self, x: float, y: float) -> tuple[float, float]:
        """A point of the room seen from the robot: metres forward and metres to the left."""
        dx, dy = x - self.x, y - self.y
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return c * dx + s * dy, -s * dx + c * dy

    def bearing(self, x: float, y: float) -> float:
        """The angle to a point, radians to the left of the heading, in [-pi, pi]."""
        forward, left = self.to_robot(x, y)
        return math.atan2(left, forward)

    def distance(self, x: float, y: float) -> float:
        """Metres to a point."""
        return math.hypot(x - self.x, y - self.y)

    def turn_from(self, other: Pose) -> float:
        """Radians to the left of another pose's heading, in [-pi, pi]."""
        return math.remainder(self.yaw - other.yaw, 2 * math.pi)
