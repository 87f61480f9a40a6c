"""Frames between processes, on the Fast DDS profile that ships with the package."""

import time

import pytest
from sensor_msgs.msg import Image

from mobilevlm_ros.nodes.qos import FRAMES_IN

pytestmark = pytest.mark.ros

PUBLISHER = """
import sys, time
import numpy as np, rclpy
from sensor_msgs.msg import Image
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.nodes.qos import FRAMES_OUT
width, height = int(sys.argv[1]), int(sys.argv[2])
rclpy.init()
node = rclpy.create_node('camera')
publisher = node.create_publisher(Image, 'image', FRAMES_OUT)
while not publisher.get_subscription_count():
    time.sleep(0.05)
time.sleep(0.5)
image = rgb_to_image(np.zeros((height, width, 3), np.uint8), node.get_clock().now().to_msg(), '')
for number in range(40):
    image.header.frame_id = str(number)
    image.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(image)
    time.sleep(0.1)
"""


@pytest.mark.parametrize('width, height', [(320, 320), (1280, 720)])
def test_frames_arrive(start, client, tmp_path, width, height):
    arrived = []

    def receive(message):
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        arrived.append(time.time() - stamp)

    client.node.create_subscription(Image, 'image', receive, FRAMES_IN)
    program = tmp_path / 'publisher.py'
    program.write_text(PUBLISHER)
    process = start(str(program), str(width), str(height))
    client.wait(lambda: process.poll() is not None)
    median_ms = sorted(arrived)[len(arrived) // 2] * 1e3
    print(f'{width}x{height}: {len(arrived)} of 40 frames, median {median_ms:.1f} ms')
    assert len(arrived) >= 36
