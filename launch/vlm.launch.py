"""Starts vlm_node: `ros2 launch mobilevlm_ros vlm.launch.py image:=/camera/image_raw`.

With `camera:=` the node that publishes the images too, in the same process if `composition:=true`.
"""

import os
import tempfile

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from launch import LaunchContext, LaunchDescription
from mobilevlm_ros.nodes.launching import Plan, plan, read_number
from mobilevlm_ros.nodes.share import profile_variable

SHARE = FindPackageShare('mobilevlm_ros')
PROFILE_VARIABLE = profile_variable(os.environ.get('ROS_DISTRO', ''))
SWITCH = ['true', 'false']
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
    DeclareLaunchArgument(
        'composition',
        default_value='false',
        choices=SWITCH,
        description='true: all nodes of this file in one process',
    ),
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
    DeclareLaunchArgument(
        'remaps',
        default_value='',
        description='more remappings, of all nodes of this file: '
        'remaps:=/diagnostics=/robot/diagnostics,odom=/wheels/odom',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        choices=SWITCH,
        description='false: leave configuring and activating to a lifecycle manager',
    ),
    DeclareLaunchArgument(
        'respawn',
        default_value='false',
        choices=SWITCH,
        description='true: start a process again when it has ended; needs autostart',
    ),
    DeclareLaunchArgument(
        'respawn_delay', default_value='2.0', description='seconds until then'
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='the least that is logged',
    ),
]


def transport_profile(variable: str) -> SetEnvironmentVariable:
    """Gives images enough shared memory in Fast DDS, unless the user has a profile already."""
    profile = PathJoinSubstitution([SHARE, 'config', 'fastdds.xml'])
    return SetEnvironmentVariable(
        variable, EnvironmentVariable(variable, default_value=profile)
    )


def written(plan: Plan, context: LaunchContext, namespace: str) -> str:
    """The path of a file with the parameters that come from the arguments.

    It stays for processes that are started again, as the files of launch_ros do.
    """
    outer = context.launch_configurations.get('ros_namespace')
    inside = make_namespace_absolute(prefix_namespace(outer, namespace)) or '/'
    prefix = 'launch_params_mobilevlm_'
    with tempfile.NamedTemporaryFile('w', prefix=prefix, suffix='.yaml', delete=False) as file:
        file.write(plan.parameters_file(inside))
    return file.name


def nodes(context: LaunchContext) -> list[Node]:
    """One action a process."""
    names = ('namespace', 'image', 'cameras', 'camera', 'seed', 'bundle', 'remaps', 'autostart',
             'respawn', 'respawn_delay', 'composition')
    given = {name: LaunchConfiguration(name).perform(context) for name in names}
    planned = plan(given)
    overrides = written(planned, context, given['namespace'])
    return [
        Node(
            package='mobilevlm_ros',
            executable=executable,
            arguments=arguments,
            namespace=given['namespace'],
            parameters=[LaunchConfiguration('params_file'), overrides],
            remappings=planned.remaps,
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            respawn=given['respawn'] == 'true',
            respawn_delay=read_number('respawn_delay', given['respawn_delay'], float),
            output='screen',
        )
        for executable, *arguments in planned.processes(given['composition'] == 'true')
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [*ARGUMENTS, transport_profile(PROFILE_VARIABLE), OpaqueFunction(function=nodes)]
    )
