"""The demo's end of the wire: drives, watches and asks over the same topics as any client."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import Image

from mobilevlm_ros.demo.driver import Driver
from mobilevlm_ros.msg import Caption
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.conversions import image_to_frame, stamp_to_ns
from mobilevlm_ros.nodes.odometry import odometry_to_pose
from mobilevlm_ros.nodes.qos import FRAMES_IN
from mobilevlm_ros.sim.world import World
from mobilevlm_ros.srv import Ask

FRAMES_KEPT = 200
STEER_PERIOD_S = 0.05
ANY_AGE_S = 2**31 - 1  # the longest that a Duration holds


@dataclass(frozen=True)
class Reply:
    """A response of the service, and the milliseconds that it took."""

    response: Ask.Response
    latency_ms: float


class DemoRobot(Node):
    """Drives by the truth; keeps frames and poses by stamp, so that answers find theirs."""

    def __init__(self, world: World, on_caption: Callable[[Caption], None]) -> None:
        super().__init__('demo')
        self.reply: Reply | None = None  # to the last question
        self._pending: Any = None  # rclpy Future of the last question
        self._driver = Driver(world)
        self._images: dict[int, Image] = {}
        self._poses: dict[int, Pose] = {}
        self._twists = self.create_publisher(Twist, 'cmd_vel', 10)
        self._client = self.create_client(Ask, 'vlm_node/ask')
        self.create_subscription(Image, 'image', self._keep_image, FRAMES_IN)
        self.create_subscription(Odometry, 'odom', self._keep_pose, 10)
        self.create_subscription(Caption, 'vlm_node/caption', on_caption, 10)
        self.create_timer(STEER_PERIOD_S, self._steer)

    def pose(self) -> Pose | None:
        """Where the robot was when it took the newest frame; None before the first."""
        stamps = self._images.keys() & self._poses.keys()
        return self._poses[max(stamps)] if stamps else None

    def seen_at(self, stamp_ns: int) -> tuple[np.ndarray, Pose] | None:
        """The frame with this stamp, RGB uint8 [h, w, 3], and where it was taken."""
        if stamp_ns not in self._images or stamp_ns not in self._poses:
            return None
        return image_to_frame(self._images[stamp_ns]).pixels, self._poses[stamp_ns]

    def service_is_ready(self) -> bool:
        """Whether vlm_node offers its service."""
        return bool(self._client.service_is_ready())

    def ask(self, question: str) -> None:
        """Send a question; `reply` gets what comes back."""
        request = Ask.Request()
        request.query.question = question
        # The truth is that of the image itself, however late a busy machine answers.
        request.query.max_age.sec = ANY_AGE_S
        began = time.perf_counter()

        def receive(future: Any) -> None:
            if future is self._pending:  # no other question was sent since
                self.reply = Reply(future.result(), (time.perf_counter() - began) * 1e3)

        self.reply = None
        self._pending = self._client.call_async(request)
        self._pending.add_done_callback(receive)

    def _keep_image(self, message: Image) -> None:
        self._images[stamp_to_ns(message.header.stamp)] = message
        _forget_oldest(self._images)

    def _keep_pose(self, message: Odometry) -> None:
        self._poses[stamp_to_ns(message.header.stamp)] = odometry_to_pose(message)
        _forget_oldest(self._poses)

    def _steer(self) -> None:
        if not self._poses:
            return
        twist = Twist()
        speed = self._driver.steer(self._poses[max(self._poses)])
        twist.linear.x, twist.angular.z = speed
        self._twists.publish(twist)


def _forget_oldest(kept: dict[int, Any]) -> None:
    if len(kept) > FRAMES_KEPT:
        del kept[min(kept)]
