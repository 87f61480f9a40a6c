"""sim_node as a process."""

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from mobilevlm_ros.nodes.conversions import image_to_frame, stamp_to_ns
from mobilevlm_ros.nodes.odometry import odometry_to_pose
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.world import random_world

pytestmark = pytest.mark.ros

SEED = 5


@pytest.fixture
def robot(start, client):
    start('sim_node', seed=SEED, rate=20.0, command_timeout=0.3)
    return client


def command(client, forward, turn):
    twist = Twist()
    twist.linear.x, twist.angular.z = forward, turn
    return client.node.create_publisher(Twist, 'cmd_vel', 10), twist


def test_every_image_shows_the_room_from_the_pose_of_the_same_stamp(robot):
    images = robot.listen(Image, 'image', 10)  # reliable
    poses = robot.listen(Odometry, 'odom', 10)

    def pairs():
        by_stamp = {stamp_to_ns(message.header.stamp): message for message in poses}
        stamped = [(image, stamp_to_ns(image.header.stamp)) for image in images]
        return [(image, by_stamp[stamp]) for image, stamp in stamped if stamp in by_stamp]

    # The two subscriptions are not matched at once: one may miss what the other heard first.
    robot.wait(lambda: len(pairs()) > 3)
    for image, odometry in pairs():
        frame = image_to_frame(image)
        expected = render(random_world(SEED), odometry_to_pose(odometry), SEED).image
        assert np.array_equal(frame.pixels, expected)
    assert images[0].header.frame_id == 'camera_optical_frame'
    assert (odometry.header.frame_id, odometry.child_frame_id) == ('odom', 'base_link')


def test_it_turns_as_told_and_stops_when_nobody_tells(robot):
    poses = robot.listen(Odometry, 'odom')
    publisher, twist = command(robot, 0.0, 0.8)

    def turned():
        publisher.publish(twist)
        robot.spin(0.05)
        speeds = {message.twist.twist.angular.z for message in poses}
        assert speeds <= {0.0, 0.8}
        return 0.8 in speeds and poses[0].pose.pose != poses[-1].pose.pose

    def stopped():
        last = poses[-5:]
        return all(message.twist.twist.angular.z == 0.0 for message in last) and all(
            message.pose.pose == last[0].pose.pose for message in last
        )

    robot.wait(turned)
    robot.wait(stopped)


def test_it_goes_forward_along_its_heading(robot):
    poses = robot.listen(Odometry, 'odom')
    publisher, twist = command(robot, 0.3, 0.0)

    def moved():
        publisher.publish(twist)
        robot.spin(0.05)
        return poses and poses[-1].pose.pose.position != poses[0].pose.pose.position

    robot.wait(moved)
    first, last = odometry_to_pose(poses[0]), odometry_to_pose(poses[-1])
    forward, left = first.to_robot(last.x, last.y)
    assert forward > 0 and left == pytest.approx(0, abs=1e-6)


def test_a_command_that_is_not_a_number_is_ignored(robot, processes):
    poses = robot.listen(Odometry, 'odom')
    publisher, twist = command(robot, float('nan'), 0.0)

    def refused():
        publisher.publish(twist)
        robot.spin(0.05)
        return 'not finite' in processes.log.read_text()

    robot.wait(refused)
    robot.wait(lambda: poses)
    assert np.isfinite(odometry_to_pose(poses[-1]).x)


def test_best_effort_subscribers_get_frames_too(robot):
    images = robot.listen(Image, 'image', qos_profile_sensor_data)
    robot.wait(lambda: len(images) > 2)
