"""The simulated robot's pose as an odometry message, and back."""

from __future__ import annotations

import math

from builtin_interfaces.msg import Time
from nav_msgs.msg import Odometry

from mobilevlm_ros.navigation.pose import Pose


def pose_to_odometry(
    pose: Pose, speed: tuple[float, float], stamp: Time, frame_id: str, child_frame_id: str
) -> Odometry:
    """Odometry without error; `speed` is m/s forward and rad/s to the left."""
    message = Odometry(child_frame_id=child_frame_id)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.pose.pose.position.x = pose.x
    message.pose.pose.position.y = pose.y
    message.pose.pose.orientation.z = math.sin(pose.yaw / 2)
    message.pose.pose.orientation.w = math.cos(pose.yaw / 2)
    message.twist.twist.linear.x, message.twist.twist.angular.z = speed
    return message


def odometry_to_pose(message: Odometry) -> Pose:
    """Where the robot was at the message's stamp."""
    pose = message.pose.pose
    yaw = 2 * math.atan2(pose.orientation.z, pose.orientation.w)
    return Pose(pose.position.x, pose.position.y, math.remainder(yaw, 2 * math.pi))
