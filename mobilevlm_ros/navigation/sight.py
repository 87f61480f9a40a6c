"""What one look says of the ways ahead, and how long that can be relied on."""

from __future__ import annotations

from dataclasses import dataclass

from mobilevlm_ros.navigation.pose import Pose


@dataclass(frozen=True, slots=True)
class Sight:
    """Probabilities of what one image shows; None where the model abstained or said nothing."""

    taken_s: float  # when the image was taken, on the clock of Patrol.steer
    pose: Pose  # and from where
    clear: float | None  # that the way ahead is clear
    left: float | None = None  # that the way to the left is free
    right: float | None = None


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Two thresholds, so that a probability that wavers does not make the robot waver."""

    below: float  # where true becomes false
    above: float  # where false becomes true

    def judge(self, probability: float | None, before: bool) -> bool:
        """The new verdict; nothing known is false, whatever was known before."""
        if probability is None:
            return False
        return probability >= (self.below if before else self.above)


@dataclass(frozen=True, slots=True)
class Corridor:
    """The way that a clear look has shown to be free: straight ahead of where it was taken."""

    start: Pose
    length: float  # metres
    half_width: float  # metres off its middle that the robot's own middle may be
    angle: float  # radians off its direction that the heading may be

    def holds(self, pose: Pose) -> bool:
        """Whether the robot is still within it and goes along it."""
        forward, left = self.start.to_robot(pose.x, pose.y)
        turned = abs(pose.turn_from(self.start))
        return forward <= self.length and abs(left) <= self.half_width and turned <= self.angle
