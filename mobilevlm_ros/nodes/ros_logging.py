"""Python's logging into ROS's, so that what the engine logs reaches the node's log."""

from __future__ import annotations

import logging

from rclpy.node import Node


def one_line(text: str) -> str:
    """The text with all that is not printable escaped, so that no message can forge a log."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


class RosHandler(logging.Handler):
    """Passes records on to a node's logger."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._logger = node.get_logger()

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback behind it if there is one."""
        line = one_line(record.getMessage())
        if record.exc_info:
            where = logging.Formatter().formatException(record.exc_info)
            return '\n'.join([line, *map(one_line, where.splitlines())])
        return line

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
