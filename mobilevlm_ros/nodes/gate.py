"""A callback group that lets a subscription wait in the middleware until its messages are wanted.

While closed, the executor neither wakes for its entities nor takes their messages: with keep last
1, an image that nobody wants costs what the middleware costs, and no more.
"""

from __future__ import annotations

from typing import Any

from rclpy.callback_groups import CallbackGroup


class Gate(CallbackGroup):
    """Open or closed; may be turned from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False

    def can_execute(self, entity: Any) -> bool:
        """Whether it is open."""
        return self.open

    def beginning_execution(self, entity: Any) -> bool:
        """Whether it is open."""
        return self.open

    def ending_execution(self, entity: Any) -> None:
        """Nothing to do."""
