from collections.abc import Callable, Iterable, Sequence

from launch.event_handlers import OnProcessExit
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import Action, LaunchContext, Substitution

class DeclareLaunchArgument(Action):
    @property
    def name(self) -> str: ...
    def __init__(
        self,
        name: str,
        *,
        default_value: str | Substitution | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
    ) -> None: ...

class IncludeLaunchDescription(Action):
    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[str, str | Substitution]] | None = None,
    ) -> None: ...

class OpaqueFunction(Action):
    def __init__(self, *, function: Callable[[LaunchContext], Sequence[Action]]) -> None: ...

class RegisterEventHandler(Action):
    def __init__(self, event_handler: OnProcessExit) -> None: ...

class SetLaunchConfiguration(Action):
    def __init__(self, name: str, value: str | Substitution) -> None: ...

class SetEnvironmentVariable(Action):
    def __init__(self, name: str, value: str | Substitution) -> None: ...

class Shutdown(Action):
    def __init__(self, *, reason: str = ...) -> None: ...
