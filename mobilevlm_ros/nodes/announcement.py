"""The line that says that vlm_node is ready, and where."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node

from mobilevlm_ros.nodes.diagnosis import Model

ASKED, SENT = ('~/ask', '~/ask_stream'), ('~/answer', '~/caption', '~/scene')


def announcement(node: Node, model: Model, images: Sequence[str]) -> str:
    """What runs, and all names resolved.

    Args:
        node: whose names.
        model: what runs.
        images: topics that it listens to.
    """
    asked = ' and '.join(map(node.resolve_service_name, ASKED))
    sent = ', '.join(map(node.resolve_topic_name, SENT))
    return (
        f'active: model {model.name} on {model.backend}; images from {", ".join(images)}; '
        f'questions on {asked}; publishes {sent}'
    )
