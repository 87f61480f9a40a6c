"""Patrol in simulation: `ros2 launch mobilevlm_ros patrol.launch.py`; on a robot `sim:=false`."""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

SHARE = FindPackageShare('mobilevlm_ros')
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
        choices=['true', 'false'],
        description='false: image, odom and cmd_vel are those of a robot',
    ),
    DeclareLaunchArgument('seed', default_value='12', description='of the simulated room'),
]


def generate_launch_description() -> LaunchDescription:
    params_file = LaunchConfiguration('params_file')
    vlm = PathJoinSubstitution([SHARE, 'launch', 'vlm.launch.py'])
    return LaunchDescription(
        [
            *ARGUMENTS,
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(vlm),
                launch_arguments={
                    'namespace': LaunchConfiguration('namespace'),
                    'params_file': params_file,
                }.items(),
            ),
            PushRosNamespace(LaunchConfiguration('namespace')),
            Node(
                package='mobilevlm_ros',
                executable='sim_node',
                name='sim_node',
                parameters=[params_file, {'seed': LaunchConfiguration('seed')}],
                condition=IfCondition(LaunchConfiguration('sim')),
            ),
            Node(
                package='mobilevlm_ros',
                executable='patrol_node',
                name='patrol_node',
                parameters=[params_file],
                remappings=[('scene', 'vlm_node/scene')],
                output='screen',
            ),
        ]
    )
