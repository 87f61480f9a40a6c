"""Timers that no clock can stop, and what is to be said of a clock that stands still.

ROS time is only compared with stamps: it may stand still (`use_sim_time` without `/clock`, a bag
that ended) or jump. Whatever has to happen in time goes by the steady clock.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

STANDS_AFTER_S = 3.0


def steady_timer(node: Node, period_s: float, callback: Callable[[], None]) -> Timer:
    """A timer of the node that goes by the steady clock."""
    return node.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


class ClockWatch:
    """Finds out whether simulated time stands still although images come."""

    def __init__(self, clock: Clock) -> None:
        """Begin with the present time.

        Args:
            clock: of the node.
        """
        self._clock = clock
        self._time_ns = clock.now().nanoseconds
        self._moved_s: float | None = None  # when it last did, on the caller's clock

    def fault(self, now_s: float, images: bool) -> str:
        """What is wrong with the clock; empty: nothing. Call it now and then.

        Args:
            now_s: seconds on a steady clock.
            images: whether any came since the last call.
        """
        time_ns = self._clock.now().nanoseconds
        if self._moved_s is None or time_ns != self._time_ns or not self._clock.ros_time_is_active:
            self._time_ns, self._moved_s = time_ns, now_s
        stands_s = now_s - self._moved_s
        if stands_s < STANDS_AFTER_S or not images:
            return ''
        return (
            f'/clock has not moved for {stands_s:.0f} s although images come; start what '
            'publishes it (a simulator, or `ros2 bag play --clock`), or unset use_sim_time'
        )
