"""Publishes /diagnostics once a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from mobilevlm_ros.engine import Load
from mobilevlm_ros.nodes import diagnosis
from mobilevlm_ros.nodes.camera import CameraHealth
from mobilevlm_ros.nodes.cameras import Cameras
from mobilevlm_ros.nodes.clocks import ClockWatch, steady_timer
from mobilevlm_ros.nodes.host import read_host
from mobilevlm_ros.nodes.publishers import Watch
from mobilevlm_ros.nodes.record import Record

PERIOD_S = 1.0


class Reporter:
    """Collects what the node knows of itself, its cameras, its clock and its machine."""

    def __init__(
        self,
        node: Node,
        cameras: Cameras,
        record: Record,
        model: Callable[[], tuple[diagnosis.Model, Load]],
    ) -> None:
        """Report from now on.

        Args:
            node: whose name, clock and publisher.
            cameras: of the node.
            record: of what it answered.
            model: what runs at present, and how busy it is.
        """
        self._node = node
        self._cameras = cameras
        self._record = record
        self._model = model
        self._watch = ClockWatch(node.get_clock())
        self._standing = ''  # fault of the clock that was logged
        self._taken = 0  # images, at the last report
        self._images = Watch(self._warn, self._tell)
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady_timer(node, PERIOD_S, self.report)

    def report(self) -> None:
        """Publish the present state."""
        now_s = time.monotonic()
        health = self._cameras.health()
        for one in health:
            self._watch_images(one, now_s)
        parts = [
            diagnosis.engine_part(*self._model(), self._record),
            diagnosis.answers_part(self._record, now_s),
            *(diagnosis.camera_part(one, self._cameras.config_of(one.name)) for one in health),
            diagnosis.clock_part(self._clock_fault(now_s, sum(one.taken for one in health))),
            diagnosis.host_part(read_host()),
        ]
        stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().lstrip('/')
        self._publisher.publish(diagnosis.diagnose(name, stamp, parts))
        self._record.reported()

    def _watch_images(self, health: CameraHealth, now_s: float) -> None:
        silent_after_s = self._cameras.config_of(health.name).silent_after_s
        silent = 'silent' if health.silent_s > silent_after_s else ''
        self._images.note(health.name, health.trouble or silent, now_s, silent_after_s)

    def _warn(self, camera: str) -> None:
        text = f'no image from {camera}: {self._cameras.absence(camera)}'
        self._node.get_logger().warning(text)

    def _tell(self, camera: str) -> None:
        self._node.get_logger().info(f'images from {camera} come')

    def _clock_fault(self, now_s: float, taken: int) -> str:
        """What is wrong with the clock; logged once until it moves again."""
        fault = self._watch.fault(now_s, images=taken != self._taken)
        self._taken = taken
        if fault and not self._standing:
            self._node.get_logger().warning(fault)
        self._standing = fault
        return fault
