"""Starts vlm_node: `ros2 launch mobilevlm_ros vlm.launch.py image:=/camera/image_raw`."""

import os

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

SHARE = FindPackageShare('mobilevlm_ros')
# From Kilted on the variable has another name; if both are set, the profile is loaded twice.
OLD = os.environ.get('ROS_DISTRO') in ('humble', 'iron', 'jazzy')
PROFILE_VARIABLE = f'FAST{"RTPS" if OLD else "DDS"}_DEFAULT_PROFILES_FILE'
ARGUMENTS = [
    DeclareLaunchArgument('namespace', default_value='', description='namespace of the node'),
    DeclareLaunchArgument(
        'image',
        default_value='image',
        description='topic of the camera; of several cameras (`cameras` in the parameters file), '
        'remap each <name>/image instead',
    ),
    DeclareLaunchArgument(
        'bundle',
        default_value='',
        description='folder of the model; empty: what the parameters file says',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=PathJoinSubstitution([SHARE, 'config', 'vlm.yaml']),
        description='parameters that differ from the defaults',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        choices=['true', 'false'],
        description='false: leave configuring and activating to a lifecycle manager',
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='what is logged',
    ),
]


def transport_profile(variable: str) -> SetEnvironmentVariable:
    """Gives images enough shared memory in Fast DDS, unless the user has a profile already."""
    profile = PathJoinSubstitution([SHARE, 'config', 'fastdds.xml'])
    return SetEnvironmentVariable(
        variable, EnvironmentVariable(variable, default_value=profile)
    )


def vlm_node(context: LaunchContext) -> list[Node]:
    """Returns the node; arguments that were left empty do not override the parameters file."""
    given = {'autostart': LaunchConfiguration('autostart').perform(context) == 'true'}
    if bundle := LaunchConfiguration('bundle').perform(context):
        given['bundle'] = bundle
    return [
        Node(
            package='mobilevlm_ros',
            executable='vlm_node',
            name='vlm_node',
            namespace=LaunchConfiguration('namespace'),
            parameters=[LaunchConfiguration('params_file'), given],
            remappings=[('image', LaunchConfiguration('image'))],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *ARGUMENTS,
            transport_profile(PROFILE_VARIABLE),
            OpaqueFunction(function=vlm_node),
        ]
    )
