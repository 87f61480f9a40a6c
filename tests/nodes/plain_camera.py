"""A camera in a process of its own: `plain_camera.py GREY OFFSET_S` shows a plain grey image.

Its clock differs from that of others by OFFSET_S; its stamps are zero if that is `unstamped`.
"""

import sys

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image

from mobilevlm_ros.nodes.conversions import ns_to_stamp, rgb_to_image
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.nodes.runner import run

PERIOD_S = 0.1


class PlainCamera(Node):
    """Publishes on `image`."""

    done = False

    def __init__(self):
        super().__init__('plain_camera')
        self._pixels = np.full((16, 16, 3), int(sys.argv[1]), np.uint8)
        self._publisher = self.create_publisher(Image, 'image', FRAMES_OUT)
        self.create_timer(PERIOD_S, self._show)

    def stop(self):
        return True

    def _show(self):
        self._publisher.publish(rgb_to_image(self._pixels, ns_to_stamp(self._stamp_ns()), 'lens'))

    def _stamp_ns(self):
        if sys.argv[2] == 'unstamped':
            return 0
        return self.get_clock().now().nanoseconds + round(float(sys.argv[2]) * 1e9)


raise SystemExit(run(PlainCamera))
