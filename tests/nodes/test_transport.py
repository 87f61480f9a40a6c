"""Frames between processes, on the Fast DDS profile that ships with the package."""

import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Int32

from mobilevlm_ros.nodes.qos import FRAMES_IN

pytestmark = pytest.mark.ros

FRAMES = 40
PUBLISHER = f"""
import sys
import numpy as np, rclpy
from sensor_msgs.msg import Image
from std_msgs.msg import Int32
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.nodes.qos import FRAMES_OUT
width, height = int(sys.argv[1]), int(sys.argv[2])
rclpy.init()
node = rclpy.create_node('camera')
publisher = node.create_publisher(Image, 'image', FRAMES_OUT)
arrived = [-1]
node.create_subscription(Int32, 'arrived', lambda number: arrived.append(number.data), 10)
image = rgb_to_image(np.zeros((height, width, 3), np.uint8), node.get_clock().now().to_msg(), '')
while arrived[-1] < 0:  # until the way there and back is open
    image.header.frame_id = '0'
    publisher.publish(image)
    rclpy.spin_once(node, timeout_sec=0.2)
for number in range(1, {FRAMES} + 1):
    image.header.frame_id = str(number)
    publisher.publish(image)
    while arrived[-1] < number:
        rclpy.spin_once(node)
"""


@pytest.mark.parametrize('width, height', [(320, 320), (1280, 720)])
def test_every_frame_arrives(start, client, tmp_path, width, height):
    numbers = []
    confirmations = client.node.create_publisher(Int32, 'arrived', 10)

    def receive(message):
        numbers.append(int(message.header.frame_id))
        confirmations.publish(Int32(data=numbers[-1]))

    client.node.create_subscription(Image, 'image', receive, FRAMES_IN)
    program = tmp_path / 'publisher.py'
    program.write_text(PUBLISHER)
    process = start(str(program), str(width), str(height))
    client.wait(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert [number for number in numbers if number] == list(range(1, FRAMES + 1))
