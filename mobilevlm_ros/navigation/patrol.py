"""A patrol of waypoints on sight alone: no map, no range finder.

A clear look shows a corridor ahead of where it was taken, and the robot drives nowhere else. Where
the way to the waypoint is not clear, it turns on the spot, to the side that is said to be free,
until it sees a clear way, goes along it a little, and tries again. Without a fresh look it stands,
and where no look has shown the way ahead yet, because it turned faster than answers come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mobilevlm_ros.navigation.config import PatrolConfig
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.navigation.sight import Corridor, Hysteresis, Sight

HALF_WIDTH = 0.12  # metres off the middle of the corridor that a clear look shows
ANGLE = 0.2  # rad off its direction
AIM = 0.5  # rad to the waypoint beyond which the robot turns on the spot
GAIN = 1.2  # rad/s for each rad to the waypoint while driving
MOST_LEAN = 0.4  # rad/s while driving
SURE = 0.5  # probability from which a side is taken for free

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Command:
    """What the wheels shall do, and why."""

    forward: float = 0.0  # m/s
    turn: float = 0.0  # rad/s to the left
    doing: str = 'wait'  # wait, look, aim, drive, avoid, pass or done


class Patrol:
    """Goes to one waypoint after the other; `see` and `steer` are called as news come in."""

    def __init__(self, waypoints: Sequence[Point], config: PatrolConfig | None = None) -> None:
        """Begin; nothing moves before the first look.

        Args:
            waypoints: metres, in the frame of the poses.
            config: how to drive.
        """
        self.reached: list[Point] = []
        self.given_up: list[Point] = []
        self._ahead = list(waypoints)
        self._config = config or PatrolConfig()
        self._verdict = Hysteresis(self._config.stop_below, self._config.go_above)
        self._sight: Sight | None = None
        self._clear = False
        self._shown: Corridor | None = None  # by the last look, clear or not
        self._corridor: Corridor | None = None  # by the last clear one
        self._cleared_at = -math.inf  # when that was taken
        self._left_at = math.inf  # when the present waypoint is given up
        self._turning = 0.0  # 1 left or -1 right while avoiding something, else 0
        self._turned_from = 0.0  # when the last sight before was taken
        self._side = 0.0  # 1 left or -1 right, on which something was avoided
        self._side_until = -math.inf
        self._passing: Pose | None = None  # where the way past an obstacle began

    @property
    def waypoint(self) -> Point | None:
        """Where the robot is going; None at the end."""
        return self._ahead[0] if self._ahead else None

    def see(self, sight: Sight) -> None:
        """Take note of a look; older ones than the last are dropped."""
        if self._sight is not None and sight.taken_s <= self._sight.taken_s:
            return
        self._sight = sight
        self._clear = self._verdict.judge(sight.clear, self._clear)
        shown = Corridor(sight.pose, self._config.way, HALF_WIDTH, ANGLE)
        if self._clear:
            self._corridor, self._cleared_at = shown, sight.taken_s
        elif self._turning and self._may_go(sight.pose):
            self._corridor = None  # found while turning, and not clear at a second look
        self._shown = shown

    def steer(self, pose: Pose, now_s: float) -> Command:
        """What to do now; `now_s` is on the clock of `Sight.taken_s`."""
        if not self._advance(pose, now_s):
            return Command(doing='done')
        pace = self._pace(now_s)
        if not pace:
            return Command()
        if self._turning:
            return self._avoid(pose, now_s, pace)
        if self._passing:
            return self._pass(pose, now_s, pace)
        return self._drive(pose, now_s, pace)

    def _advance(self, pose: Pose, now_s: float) -> bool:
        """Go over to the next waypoint where it is time; whether there is one."""
        if self._left_at == math.inf:
            self._left_at = now_s + self._config.give_up
        while self._ahead:
            near = pose.distance(*self._ahead[0]) <= self._config.reach
            if not near and now_s < self._left_at:
                return True
            (self.reached if near else self.given_up).append(self._ahead.pop(0))
            self._left_at = now_s + self._config.give_up
            self._passing, self._side_until = None, -math.inf
        return False

    def _pace(self, now_s: float) -> float:
        """Share of the full speed that the age of the last look allows."""
        if self._sight is None:
            return 0.0
        age, config = now_s - self._sight.taken_s, self._config
        room = max(config.stop_after - config.slow_after, 1e-3)
        return min(1.0, max(0.0, (config.stop_after - age) / room))

    def _drive(self, pose: Pose, now_s: float, pace: float) -> Command:
        bearing = pose.bearing(*self._ahead[0])
        if abs(bearing) > AIM:
            return Command(turn=math.copysign(self._config.turn_rate, bearing), doing='aim')
        if not self._may_go(pose):
            return self._look_or_avoid(pose, now_s, pace)
        lean = max(-MOST_LEAN, min(MOST_LEAN, GAIN * bearing))
        return Command(self._speed(pace), lean, 'drive')

    def _pass(self, pose: Pose, now_s: float, pace: float) -> Command:
        assert self._passing is not None
        if not self._may_go(pose):
            return self._look_or_avoid(pose, now_s, pace)
        if pose.distance(self._passing.x, self._passing.y) >= self._config.bypass:
            self._passing = None
            return self._drive(pose, now_s, pace)
        return Command(self._speed(pace), 0.0, 'pass')

    def _avoid(self, pose: Pose, now_s: float, pace: float) -> Command:
        """Turn until a look that was taken since then is clear, and back to where it was taken."""
        found = self._corridor if self._cleared_at > self._turned_from else None
        if found is None:
            return self._turn(self._turning, now_s, pace)
        if found.holds(pose):
            self._turning, self._passing = 0.0, pose
            return self._pass(pose, now_s, pace)
        return self._turn(math.copysign(1.0, -pose.turn_from(found.start)), now_s, pace)

    def _look_or_avoid(self, pose: Pose, now_s: float, pace: float) -> Command:
        """Stand where the last look shows another way than the one ahead; else turn away."""
        if self._shown is not None and not self._shown.holds(pose):
            return Command(doing='look')
        return self._begin_avoiding(pose, now_s, pace)

    def _begin_avoiding(self, pose: Pose, now_s: float, pace: float) -> Command:
        assert self._sight is not None
        if now_s > self._side_until:
            self._side = self._free_side(pose)
        self._side_until = now_s + self._config.keep_side
        self._turning = self._side
        self._turned_from, self._passing = self._sight.taken_s, None
        return self._turn(self._turning, now_s, pace)

    def _turn(self, side: float, now_s: float, pace: float) -> Command:
        """On the spot, and no further than a look shows until the next answer comes."""
        assert self._sight is not None
        age = max(now_s - self._sight.taken_s, 1e-3)
        rate = min(self._config.turn_rate, ANGLE / age)
        return Command(turn=side * rate * pace, doing='avoid')

    def _free_side(self, pose: Pose) -> float:
        """1 for the left, -1 for the right: what is free, else what leads to the waypoint."""
        assert self._sight is not None
        left, right = self._sight.left or 0.0, self._sight.right or 0.0
        if (left >= SURE) != (right >= SURE):
            return 1.0 if left > right else -1.0
        return math.copysign(1.0, pose.bearing(*self._ahead[0]))

    def _may_go(self, pose: Pose) -> bool:
        return self._corridor is not None and self._corridor.holds(pose)

    def _speed(self, pace: float) -> float:
        return self._config.speed * pace * (1.0 if self._clear else 0.5)
