"""patrol_node: follows waypoints by what vlm_node says of the ways ahead; an example to copy."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque

from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import String

from mobilevlm_ros.engine import ConfigError, steady_s
from mobilevlm_ros.msg import Scene
from mobilevlm_ros.navigation.config import PatrolConfig
from mobilevlm_ros.navigation.patrol import Command, Patrol
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.arrivals import RECEIVED, SENT, Info, since_s, with_info
from mobilevlm_ros.nodes.clocks import steady_timer
from mobilevlm_ros.nodes.config import PatrolNodeConfig
from mobilevlm_ros.nodes.conversions import stamp_to_ns
from mobilevlm_ros.nodes.odometry import odometry_to_pose
from mobilevlm_ros.nodes.params import declare
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.ways import scene_to_sight

ACKED_WITHIN_S = 0.3
TELL_EVERY_S = 1.0  # and at every change
WARN_EVERY_S = 10.0
POSES_KEPT = 500
APART_NS = 200_000_000  # most between an image's stamp and that of the pose it is taken from


class PatrolNode(Node):
    """Subscribes `odom` and `scene`, publishes `cmd_vel`, and tells in `~/doing` what it is at."""

    def __init__(self) -> None:
        super().__init__('patrol_node')
        self.done = False
        config = declare(self, PatrolNodeConfig)
        self._camera = config.camera
        self._cameras: set[str] = set()  # that there were scenes of
        self._patrol = Patrol(pairs(config.waypoints), declare(self, PatrolConfig))
        self._stamps: deque[int] = deque(maxlen=POSES_KEPT)
        self._poses: deque[Pose] = deque(maxlen=POSES_KEPT)
        self._command = Command()
        self._twists = self.create_publisher(Twist, 'cmd_vel', 10)
        self._doings = self.create_publisher(String, '~/doing', 10)
        self.create_subscription(Odometry, 'odom', self._keep_pose, 10)
        self.create_subscription(Scene, 'scene', with_info(self._see), 1)
        steady_timer(self, 1 / config.rate, self._steer)
        steady_timer(self, TELL_EVERY_S, self._tell)

    def stop(self) -> bool:
        """Stand still, and be sure that the wheels were told."""
        self._twists.publish(Twist())
        self._twists.wait_for_all_acked(Duration(seconds=ACKED_WITHIN_S))
        return True

    def _keep_pose(self, message: Odometry) -> None:
        stamp = stamp_to_ns(message.header.stamp)
        if self._stamps and stamp <= self._stamps[-1]:  # the clock was set back
            self._stamps.clear()
            self._poses.clear()
        self._stamps.append(stamp)
        self._poses.append(odometry_to_pose(message))

    def _see(self, scene: Scene, info: Info) -> None:
        self._cameras.add(scene.camera)
        if scene.camera != self._camera and (self._camera or len(self._cameras) > 1):
            self._tell_of_other_cameras()
            return
        pose = self._pose_at(stamp_to_ns(scene.header.stamp))
        if pose is None:
            self.get_logger().warning(
                f'a scene is of no use: {self.get_name()} has no odometry from within '
                f'{APART_NS * 1e-9:g} s of the stamp of its image; check that camera and odometry '
                'are stamped by one clock',
                throttle_duration_sec=WARN_EVERY_S,
            )
            return
        now_ns = self.get_clock().now().nanoseconds
        taken_s = steady_s() - age_s(scene, info, now_ns, time.time_ns())
        self._patrol.see(scene_to_sight(scene, pose, taken_s))

    def _tell_of_other_cameras(self) -> None:
        if self._camera not in self._cameras:
            self.get_logger().warning(
                f'there are scenes of {", ".join(sorted(self._cameras))}, and none is used: set '
                f'the parameter camera, which is {self._camera!r}, to the one that looks ahead',
                throttle_duration_sec=WARN_EVERY_S,
            )

    def _pose_at(self, stamp: int) -> Pose | None:
        """Where the robot was at an image's stamp; None if that is not known."""
        at = bisect_left(self._stamps, stamp)
        near = [i for i in (at - 1, at) if 0 <= i < len(self._stamps) and stamp > 0]
        best = min(near, key=lambda i: abs(self._stamps[i] - stamp), default=None)
        if best is None or abs(self._stamps[best] - stamp) > APART_NS:
            return None
        return self._poses[best]

    def _steer(self) -> None:
        if not self._poses:
            return
        command = self._patrol.steer(self._poses[-1], steady_s())
        twist = Twist()
        twist.linear.x, twist.angular.z = command.forward, command.turn
        self._twists.publish(twist)
        before, self._command = self._command, command
        if command.doing != before.doing:
            self._tell()

    def _tell(self) -> None:
        reached, given_up = len(self._patrol.reached), len(self._patrol.given_up)
        self._doings.publish(
            String(data=f'{self._command.doing} reached={reached} given_up={given_up}')
        )


def age_s(scene: Scene, info: Info, now_ns: int, system_ns: int) -> float:
    """The age of a scene's image: what vlm_node said, or its stamp if that makes it older.

    Args:
        scene: that is taken now.
        info: of the message, from rclpy.
        now_ns: on the clock of the stamp.
        system_ns: of the system's clock.
    """
    by_stamp_s = (now_ns - stamp_to_ns(scene.header.stamp)) * 1e-9
    waited_s = since_s(info, RECEIVED, system_ns)
    if by_stamp_s < 0:  # the stamp cannot tell
        waited_s = max(waited_s, since_s(info, SENT, system_ns))
    return max(by_stamp_s, float(scene.timing.final_age_ms) * 1e-3 + waited_s)


def pairs(values: tuple[float, ...]) -> list[tuple[float, float]]:
    """[x, y, x, y, ...] as points.

    Raises:
        ConfigError: if one has no y.
    """
    if len(values) % 2:
        raise ConfigError(f'waypoints has {len(values)} numbers; give x and y of each, in metres')
    return list(zip(values[::2], values[1::2], strict=True))


def main(argv: list[str] | None = None) -> int:
    """Run until a signal arrives."""
    return run(PatrolNode, argv)


if __name__ == '__main__':
    raise SystemExit(main())
