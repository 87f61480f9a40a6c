# The part of ros2 launch that our launch files call, hand-written: what Humble (1.0.7) and Jazzy
# (3.4.3) have in common. It is not on PyPI, so that this is what `make test` can check them by.

from collections.abc import Iterable

class Action: ...
class Substitution: ...

class LaunchContext:
    @property
    def launch_configurations(self) -> dict[str, str]: ...

class LaunchDescription:
    def __init__(self, initial_entities: Iterable[Action] | None = None) -> None: ...
