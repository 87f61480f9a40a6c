from collections.abc import Sequence

from launch import Action, Substitution

class Node(Action):
    # From output on, arguments of ExecuteLocal.
    def __init__(
        self,
        *,
        package: str,
        executable: str,
        arguments: Sequence[str | Substitution] | None = None,
        namespace: str | Substitution | None = None,
        parameters: Sequence[str | Substitution] | None = None,
        remappings: Sequence[tuple[str, str]] | None = None,
        ros_arguments: Sequence[str | Substitution] | None = None,
        output: str = 'log',
        output_format: str = ...,
        respawn: bool = False,
        respawn_delay: float | None = None,
    ) -> None: ...
