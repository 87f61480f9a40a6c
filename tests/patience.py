"""How long tests wait for what must happen: a bound on hangs, no measure of this machine."""

import time
from collections.abc import Callable

PATIENCE_S = 120.0


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f'it did not happen within {PATIENCE_S:g} s'
        time.sleep(0.002)
