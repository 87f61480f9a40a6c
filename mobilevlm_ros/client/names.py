"""Names of nodes."""

from __future__ import annotations

from typing import Any

from rclpy.exceptions import NameValidationException
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name

from mobilevlm_ros.client.fields import text
from mobilevlm_ros.client.values import BadValueError


def full_name(node_name: Any, namespace: Any) -> str:
    """The name of a node with its namespace: `/robot/vlm_node`.

    Args:
        node_name: of the node; one that begins with a slash has its namespace already.
        namespace: of the node, with or without slashes around it; empty: none.

    Raises:
        BadValueError: if ROS allows no such name.
    """
    base, space = text(node_name, 'node_name'), text(namespace, 'namespace').strip('/')
    if base.startswith('/'):
        if space:
            raise BadValueError(f'node_name is {base}; give no namespace ({space}) beside it')
        space, _, base = base[1:].rpartition('/')
    space = f'/{space}'
    try:
        validate_namespace(space)
        validate_node_name(base)
    except NameValidationException as error:
        what = ' '.join(str(error).split())
        raise BadValueError(what.removesuffix(' ^')) from error
    return f'{space.rstrip("/")}/{base}'
