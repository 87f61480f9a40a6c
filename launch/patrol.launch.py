"""Patrol in simulation: `ros2 launch mobilevlm_ros patrol.launch.py`; on a robot `sim:=false`.

All arguments of vlm.launch.py but `camera` work here too.
"""

from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription
from mobilevlm_ros.nodes.launch_arguments import check_choices, one_of
from mobilevlm_ros.nodes.launch_description import describe
from mobilevlm_ros.nodes.launch_parameters import parameters
from mobilevlm_ros.nodes.launching import SIMULATED, plan_nodes

SHARE = FindPackageShare('mobilevlm_ros')
VLM = PathJoinSubstitution([SHARE, 'launch', 'vlm.launch.py'])
ARGUMENTS = [
    DeclareLaunchArgument('namespace', default_value='', description='namespace of all nodes'),
    DeclareLaunchArgument(
        'params_file',
        default_value=PathJoinSubstitution([SHARE, 'config', 'patrol.yaml']),
        description='parameters of vlm_node, patrol_node and sim_node',
    ),
    DeclareLaunchArgument(
        'sim',
        default_value='true',
        description=f'false: image, odom and cmd_vel are those of a robot; {one_of("sim")}',
    ),
    DeclareLaunchArgument('seed', default_value='12', description='of the simulated room'),
]


def camera(context: LaunchContext) -> list[SetLaunchConfiguration]:
    """The argument of vlm.launch.py that follows from `sim`."""
    sim = LaunchConfiguration('sim').perform(context)
    check_choices({'sim': sim})
    return [SetLaunchConfiguration('camera', SIMULATED if sim == 'true' else '')]


def patrol_node(context: LaunchContext) -> list[Node]:
    """After vlm.launch.py, which declares use_sim_time and log_level."""
    names = ('namespace', 'params_file', 'use_sim_time')
    given = {name: LaunchConfiguration(name).perform(context) for name in names}
    planned = plan_nodes(given, {'patrol_node': {}})
    return [
        Node(
            package='mobilevlm_ros',
            executable='patrol_node',
            namespace=given['namespace'],
            parameters=parameters(planned, context, given['namespace']),
            remappings=[('scene', 'vlm_node/scene')],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    return describe(
        __file__,
        [
            *ARGUMENTS,
            OpaqueFunction(function=camera),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(VLM)),
            OpaqueFunction(function=patrol_node),
        ],
        unread=['camera'],
    )
