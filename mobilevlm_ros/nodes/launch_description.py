"""The description of a launch file that refuses arguments which nothing reads."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from launch.actions import OpaqueFunction

from launch import Action, LaunchContext, LaunchDescription
from mobilevlm_ros.nodes.launch_arguments import check_names


def describe(
    file: str, actions: Sequence[Action], unread: Collection[str] = ()
) -> LaunchDescription:
    """These actions, behind a check of the names of the arguments.

    Args:
        file: path of the launch file.
        actions: of it.
        unread: arguments of files that it includes which it sets itself.
    """

    def check(_: LaunchContext) -> list[Action]:
        known = {argument.name for argument in description.get_launch_arguments()}
        check_names(sys.argv, Path(file), known.difference(unread))
        return []

    description = LaunchDescription([OpaqueFunction(function=check), *actions])
    return description
