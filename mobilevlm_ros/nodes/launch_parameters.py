"""The parameters files that launch gives to a process."""

from __future__ import annotations

from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from launch import LaunchContext
from mobilevlm_ros.nodes.launching import Plan, shared_file


def parameters(planned: Plan, context: LaunchContext, namespace: str) -> list[str]:
    """The user's file, and one with what the arguments say, which wins.

    Args:
        planned: the nodes.
        context: knows the namespace that the launch file is included in.
        namespace: of the nodes, inside of that.
    """
    outer = context.launch_configurations.get('ros_namespace')
    inside = make_namespace_absolute(prefix_namespace(outer, namespace)) or '/'
    return [planned.params_file, shared_file(planned.overrides(inside))]
