"""camera_node: publishes a folder of images or a video file as if a camera saw it."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import Image

from mobilevlm_ros.engine import ImageError
from mobilevlm_ros.nodes.clocks import steady_timer
from mobilevlm_ros.nodes.config import CameraNodeConfig
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.nodes.params import declare
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.nodes.ros_logging import one_line
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.sources import open_source

ACKED_WITHIN_S = 10.0  # after the last image, on a busy machine
ACKED_ON_SIGNAL_S = 0.3  # a signal leaves less time


class CameraNode(Node):
    """Publishes `image` at a fixed rate."""

    def __init__(self) -> None:
        super().__init__('camera_node')
        self.done = False
        self._config = declare(self, CameraNodeConfig)
        self._source = open_source(self._config.path)
        self._frames = self._source.frames()
        self._good = 0  # frames published since the start of the series
        self._publisher = self.create_publisher(Image, 'image', FRAMES_OUT)
        rate = self._config.rate or self._source.rate
        steady_timer(self, 1 / rate, self._publish_next)

    def stop(self) -> bool:
        """Let the last image arrive."""
        within_s = ACKED_WITHIN_S if self.done else ACKED_ON_SIGNAL_S
        self._publisher.wait_for_all_acked(Duration(seconds=within_s))
        return True

    def _publish_next(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            self._end_series()
        elif isinstance(frame, ImageError):
            text = one_line(f'skipped a frame: {frame}')
            self.get_logger().error(text, throttle_duration_sec=1.0)
        else:
            self._good += 1
            stamp = self.get_clock().now().to_msg()
            self._publisher.publish(rgb_to_image(frame, stamp, self._config.frame_id))

    def _end_series(self) -> None:
        if not self._good:
            self.get_logger().error(f'no frame of {self._config.path} could be read: ending')
        self.done = not (self._config.loop and self._good)
        self._good = 0
        self._frames = self._source.frames()


def main(argv: list[str] | None = None) -> int:
    """Run until the series ends or a signal arrives."""
    return run(CameraNode, argv)


if __name__ == '__main__':
    raise SystemExit(main())
