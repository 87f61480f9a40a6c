from collections.abc import Callable

from launch.events.process import ProcessExited

from launch import Action, LaunchContext

class OnProcessExit:
    def __init__(
        self, *, on_exit: Callable[[ProcessExited, LaunchContext], list[Action]]
    ) -> None: ...
