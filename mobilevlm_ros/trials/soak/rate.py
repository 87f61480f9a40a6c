"""The highest rate at which all cameras can be carried, found by trying."""

from __future__ import annotations

from collections.abc import Callable

from mobilevlm_ros.nodes.processes import RunError

RATES_HZ = (1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60)
FIRST_HZ = 5
TRIAL_S = 8.0
PROOF_S = 20.0

Trial = Callable[[float, float], bool]  # rate, seconds; whether it was carried


def find_rate(carried: Trial) -> float:
    """Climb until a rate is not carried, then descend to one that is for longer.

    Raises:
        RunError: if not even the lowest is.
    """
    place = RATES_HZ.index(FIRST_HZ)
    while place < len(RATES_HZ) and carried(RATES_HZ[place], TRIAL_S):
        place += 1
    for rate_hz in reversed(RATES_HZ[:place]):
        if carried(rate_hz, PROOF_S):
            return rate_hz
    raise RunError(
        f'not even {RATES_HZ[0]} Hz is carried; is the machine busy with something else?'
    )
