"""How many tokens can be prefilled in a given time."""

from __future__ import annotations

FEWEST = 16  # tokens in a call for it to tell the speed of prefill; and in a chunk
_SHARE = 0.3  # of the newest measurement


class Pace:
    """Learns the speed of prefill from what it took."""

    def __init__(self) -> None:
        self._seconds = 0.0  # of one token; 0: not known yet

    def learn(self, tokens: int, seconds: float) -> None:
        """Take in one call of the language model."""
        if tokens < FEWEST or seconds <= 0:
            return
        each = seconds / tokens
        self._seconds += (each - self._seconds) * (_SHARE if self._seconds else 1.0)

    def tokens(self, seconds: float) -> int:
        """How many tokens fit into so many seconds; few while that is not known."""
        return max(FEWEST, int(seconds / self._seconds)) if self._seconds else 2 * FEWEST
