"""How long a call waits."""

from __future__ import annotations

import time

GRACE_S = 1.0  # for the reply to arrive that tells of the deadline


class Patience:
    """Waits first for a way to vlm_node, then for its answer."""

    def __init__(self, connect_s: float, deadline_s: float) -> None:
        """Begin to wait.

        Args:
            connect_s: for the way to be open.
            deadline_s: that vlm_node is told.
        """
        self._deadline_s = deadline_s
        self._end = time.monotonic() + connect_s
        self._sent = False

    def sent(self) -> None:
        """The request is on its way; from the first time on, its deadline counts."""
        if not self._sent:
            self._sent = True
            self._end = time.monotonic() + self._deadline_s + GRACE_S

    @property
    def over(self) -> bool:
        """Whether to give up."""
        return time.monotonic() > self._end
