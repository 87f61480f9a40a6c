"""sim_node: a simulated robot in a furnished room, driven by cmd_vel."""

from __future__ import annotations

import math
import time

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import UInt32

from mobilevlm_ros.msg import Scene
from mobilevlm_ros.nodes.clocks import steady_timer
from mobilevlm_ros.nodes.config import SimNodeConfig
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.nodes.odometry import pose_to_odometry
from mobilevlm_ros.nodes.params import declare
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.ways import ways_to_scene
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.patrols import free_ways
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.start import start_pose
from mobilevlm_ros.sim.world import random_world

LONGEST_STEP_S = 0.2  # of simulated motion, however late the timer is
APART_S = 0.5  # without contact: what comes after counts as another one


class SimNode(Node):
    """Publishes `odom` and, with the same stamp, `image` if anybody listens; obeys `cmd_vel`.

    `~/contacts` counts how often the robot ran into something. `~/scene`, if asked for, stands in
    for a model.
    """

    def __init__(self) -> None:
        super().__init__('sim_node')
        self.done = False
        self._config = declare(self, SimNodeConfig)
        self._world = random_world(self._config.seed)
        self._pose = start_pose(self._world, self._config.seed)
        self._command = (0.0, 0.0)  # m/s forward, rad/s to the left
        self._commanded_at = self._stepped_at = time.monotonic()
        self._images = self.create_publisher(Image, 'image', FRAMES_OUT)
        self._odometry = self.create_publisher(Odometry, 'odom', 10)
        self._contacts = 0
        self._last_contact = -math.inf  # seconds
        self._counts = self.create_publisher(UInt32, '~/contacts', 10)
        self._scenes = self.create_publisher(Scene, '~/scene', 10)
        self.create_subscription(Twist, 'cmd_vel', self._obey, 10)
        steady_timer(self, 1 / self._config.rate, self._step)

    def stop(self) -> bool:
        """Nothing to wait for."""
        return True

    def _obey(self, twist: Twist) -> None:
        command = (twist.linear.x, twist.angular.z)
        if not all(map(math.isfinite, command)):
            self.get_logger().warning('ignored a cmd_vel that is not finite')
            return
        self._command = command
        self._commanded_at = time.monotonic()

    def _step(self) -> None:
        now_s = time.monotonic()
        if now_s - self._commanded_at > self._config.command_timeout:
            self._command = (0.0, 0.0)
        elapsed = min(now_s - self._stepped_at, LONGEST_STEP_S)
        self._stepped_at = now_s
        self._pose, hit = drive(self._world, self._pose, *self._command, elapsed)
        if hit:
            self._touch(now_s)
            self.get_logger().warning('the robot hit something', throttle_duration_sec=1.0)
        stamp = self.get_clock().now().to_msg()
        speed = (0.0 if hit else self._command[0], self._command[1])
        self._odometry.publish(
            pose_to_odometry(
                self._pose, speed, stamp, self._config.odom_frame, self._config.base_frame
            )
        )
        if self._images.get_subscription_count():  # to render takes most of the time
            self._images.publish(rgb_to_image(self._render(), stamp, self._config.frame_id))
        self._counts.publish(UInt32(data=self._contacts))
        if self._config.scene:
            self._scenes.publish(ways_to_scene(self._ways(), stamp, self._config.frame_id))

    def _touch(self, now_s: float) -> None:
        self._contacts += now_s - self._last_contact > APART_S
        self._last_contact = now_s

    def _ways(self) -> dict[str, bool]:
        if self._config.scene == 'blind':
            return dict.fromkeys(('ahead', 'left', 'right'), True)
        return free_ways(self._world, self._pose)

    def _render(self) -> np.ndarray:
        # One seed for the whole run: the exposure of a camera does not jump from frame to frame.
        noise_seed = self._config.seed if self._config.noise else None
        return render(self._world, self._pose, noise_seed).image


def main(argv: list[str] | None = None) -> int:
    """Run until a signal arrives."""
    return run(SimNode, argv)


if __name__ == '__main__':
    raise SystemExit(main())
