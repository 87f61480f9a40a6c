"""The demo under `ros2 launch mobilevlm_ros demo.launch.py`: what `make demo` shows.

The arguments of vlm.launch.py work here too. Ends when the demo has ended, or when a node dies,
with a non-zero exit code if too few answers match.
"""

from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from launch import Action, LaunchContext, LaunchDescription
from mobilevlm_ros.nodes.launch_description import describe
from mobilevlm_ros.nodes.launching import DEMO_NUMBERS, check_numbers

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


def check(context: LaunchContext) -> list[Action]:
    """Before the nodes start."""
    check_numbers({name: LaunchConfiguration(name).perform(context) for name in DEMO_NUMBERS})
    return []


def end(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """An error that nobody catches is what makes `ros2 launch` end with a non-zero exit code."""
    if event.returncode and not context.is_shutdown:
        raise RuntimeError(f'{event.process_name} ended with exit code {event.returncode}')
    return [Shutdown(reason='the demo has ended')]


def generate_launch_description() -> LaunchDescription:
    options = [
        word
        for name in (*DEMO_NUMBERS, 'out')
        for word in (f'--{name}', LaunchConfiguration(name))
    ]
    return describe(
        __file__,
        [
            *ARGUMENTS,
            OpaqueFunction(function=check),
            RegisterEventHandler(OnProcessExit(on_exit=end)),
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
        ],
        unread=['camera'],
    )
