"""Starts vlm_node: `ros2 launch mobilevlm_ros vlm.launch.py image:=/camera/image_raw`.

With `camera:=` the node that publishes the images too, in the same process if `composition:=true`.
"""

import os

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from mobilevlm_ros.nodes.launch_arguments import one_of
from mobilevlm_ros.nodes.launch_description import describe
from mobilevlm_ros.nodes.launch_parameters import parameters
from mobilevlm_ros.nodes.launching import plan
from mobilevlm_ros.nodes.share import profile_variable

SHARE = FindPackageShare('mobilevlm_ros')
PROFILE_VARIABLE = profile_variable(os.environ.get('ROS_DISTRO', ''))


def choice(name: str, default: str, description: str) -> DeclareLaunchArgument:
    """An argument that is one of a few."""
    text = f'{description}; {one_of(name)}'
    return DeclareLaunchArgument(name, default_value=default, description=text)


ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace', default_value='', description='of all nodes, for robots side by side'
    ),
    DeclareLaunchArgument(
        'image',
        default_value='image',
        description='topic of the one camera; one that ends in /compressed is taken as compressed',
    ),
    DeclareLaunchArgument(
        'cameras',
        default_value='',
        description='name=topic of each of several cameras, with commas or spaces between: '
        'cameras:=front=/front/image_raw,rear=/rear/image_raw/compressed; '
        'empty: what the parameters file says',
    ),
    DeclareLaunchArgument(
        'camera',
        default_value='',
        description='start a node that publishes `image` too: a folder of images, a video file or '
        'a device that camera_node plays, or `sim` for the simulated robot; empty: none',
    ),
    DeclareLaunchArgument('seed', default_value='3', description='of the room of camera:=sim'),
    choice('composition', 'false', 'true: all nodes of this file in one process'),
    DeclareLaunchArgument(
        'bundle',
        default_value='',
        description='folder of the model; empty: what the parameters file says, else nano',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=PathJoinSubstitution([SHARE, 'config', 'vlm.yaml']),
        description='parameters that differ from the defaults; the arguments here win over it',
    ),
    choice(
        'use_sim_time',
        '',
        'whether all nodes take the time from /clock; empty: what the parameters file says',
    ),
    DeclareLaunchArgument(
        'remaps',
        default_value='',
        description='more remappings, of all nodes of this file: '
        'remaps:=/diagnostics=/robot/diagnostics,odom=/wheels/odom',
    ),
    choice('autostart', 'true', 'false: leave configuring and activating to a lifecycle manager'),
    choice(
        'respawn', 'false', 'true: start a process again when it has ended; needs autostart'
    ),
    DeclareLaunchArgument(
        'respawn_delay', default_value='2.0', description='seconds until then'
    ),
    choice('log_level', 'info', 'the least that is logged'),
]
NAMES = ('namespace', 'image', 'cameras', 'camera', 'seed', 'composition', 'bundle', 'params_file',
         'use_sim_time', 'remaps', 'autostart', 'respawn', 'respawn_delay', 'log_level')


def transport_profile(variable: str) -> SetEnvironmentVariable:
    """Gives images enough shared memory in Fast DDS, unless the user has a profile already."""
    profile = PathJoinSubstitution([SHARE, 'config', 'fastdds.xml'])
    return SetEnvironmentVariable(
        variable, EnvironmentVariable(variable, default_value=profile)
    )


def nodes(context: LaunchContext) -> list[Node]:
    """One action a process."""
    given = {name: LaunchConfiguration(name).perform(context) for name in NAMES}
    planned = plan(given)
    return [
        Node(
            package='mobilevlm_ros',
            executable=executable,
            arguments=arguments,
            namespace=given['namespace'],
            parameters=parameters(planned, context, given['namespace']),
            remappings=planned.remaps,
            ros_arguments=['--log-level', given['log_level']],
            respawn=given['respawn'] == 'true',
            respawn_delay=planned.respawn_delay,
            output='screen',
        )
        for executable, *arguments in planned.processes(given['composition'] == 'true')
    ]


def generate_launch_description() -> LaunchDescription:
    actions = [*ARGUMENTS, transport_profile(PROFILE_VARIABLE), OpaqueFunction(function=nodes)]
    return describe(__file__, actions)
