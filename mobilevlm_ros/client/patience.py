"""How long a call waits."""

from __future__ import annotations

import time

# For the reply to arrive that tells of the deadline. It counts from when it is noticed that the
# deadline has passed: a process that was stopped meanwhile still takes the reply that has come.
GRACE_S = 1.0


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
        self._noticed = False  # that the deadline has passed

    def sent(self) -> None:
        """The request is on its way; from the first time on, its deadline counts."""
        if not self._sent:
            self._sent = True
            self._end = time.monotonic() + self._deadline_s

    def over(self) -> bool:
        """Whether to give up; asked again and again."""
        now = time.monotonic()
        if now > self._end and self._sent and not self._noticed:
            self._noticed = True
            self._end = now + GRACE_S
        return now > self._end
