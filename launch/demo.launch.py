"""The demo under `ros2 launch mobilevlm_ros demo.launch.py`: what `make demo` shows.

The arguments of vlm.launch.py work here too. Ends when the demo has ended, or when a node dies.
"""

from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

VLM = PathJoinSubstitution([FindPackageShare('mobilevlm_ros'), 'launch', 'vlm.launch.py'])
ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace',
        default_value='demo',
        description='of all nodes; the demo publishes cmd_vel, which no real robot should hear',
    ),
    DeclareLaunchArgument('seed', default_value='3', description='of the room and the questions'),
    DeclareLaunchArgument('seconds', default_value='30.0', description='how long to drive'),
    DeclareLaunchArgument(
        'questions', default_value='20', description='fewest questions that must count'
    ),
    DeclareLaunchArgument('out', default_value='out', description='folder for the picture'),
]


def generate_launch_description() -> LaunchDescription:
    options = [
        word
        for name in ('seed', 'seconds', 'questions', 'out')
        for word in (f'--{name}', LaunchConfiguration(name))
    ]
    return LaunchDescription(
        [
            *ARGUMENTS,
            RegisterEventHandler(OnProcessExit(on_exit=[Shutdown(reason='a process ended')])),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(VLM), launch_arguments=[('camera', 'sim')]
            ),
            Node(
                package='mobilevlm_ros',
                executable='demo',
                namespace=LaunchConfiguration('namespace'),
                arguments=['--attach', *options],
                output='screen',
                output_format='{line}',  # a table
            ),
        ]
    )
