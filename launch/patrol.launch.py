"""Patrol in simulation: `ros2 launch mobilevlm_ros patrol.launch.py`; on a robot `sim:=false`.

All arguments of vlm.launch.py but `camera` work here too.
"""

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.actions import Node
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
    vlm = PathJoinSubstitution([SHARE, 'launch', 'vlm.launch.py'])
    camera = PythonExpression(["'sim' if '", LaunchConfiguration('sim'), "' == 'true' else ''"])
    return LaunchDescription(
        [
            *ARGUMENTS,
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(vlm), launch_arguments=[('camera', camera)]
            ),
            Node(
                package='mobilevlm_ros',
                executable='patrol_node',
                namespace=LaunchConfiguration('namespace'),
                parameters=[LaunchConfiguration('params_file')],
                remappings=[('scene', 'vlm_node/scene')],
                output='screen',
            ),
        ]
    )
