"""Python's logging into ROS's, so that what the engine logs reaches the node's log."""

from __future__ import annotations

import logging

from rclpy.node import Node


class RosHandler(logging.Handler):
    """Passes records on to a node's logger."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        """Log at the same level. rclpy wants one severity per line of code."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)
