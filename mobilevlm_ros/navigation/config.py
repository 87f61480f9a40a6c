"""Settings of the patrol, with meaning and range; the node declares its parameters from them."""

from __future__ import annotations

from dataclasses import dataclass

from mobilevlm_ros.engine import check_settings, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PatrolConfig:
    """How the robot drives. Lengths in metres, angles in radians, times in seconds."""

    speed: float = setting(0.45, 'm/s on a clear way', low=0.05, high=2.0)
    turn_rate: float = setting(0.8, 'rad/s on the spot', low=0.1, high=3.0)
    reach: float = setting(0.6, 'metres from a waypoint at which it counts', low=0.1, high=5.0)
    give_up: float = setting(
        40.0, 'seconds after which a waypoint is left for the next', low=1.0, high=1e4
    )
    stop_below: float = setting(
        0.4, 'probability that the way is clear below which the robot stops', low=0.0, high=1.0
    )
    go_above: float = setting(
        0.7, 'probability that the way is clear from which it goes on', low=0.0, high=1.0
    )
    slow_after: float = setting(
        0.5, 'age of the last image judged, in seconds, from which the robot slows', low=0.02,
        high=10.0,
    )  # fmt: skip
    stop_after: float = setting(
        0.8, 'age of the last image judged, in seconds, at which it stands', low=0.05, high=60.0
    )
    way: float = setting(
        1.1, 'metres that it may go on after the last clear image', low=0.0, high=10.0
    )
    bypass: float = setting(
        0.9, 'metres that it goes past an obstacle before it turns to the waypoint', low=0.1,
        high=10.0,
    )  # fmt: skip
    keep_side: float = setting(
        3.0, 'seconds for which it keeps to the side on which it avoided something', low=0.0,
        high=1e3,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)
