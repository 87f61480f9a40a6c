"""What robots did on their tours, added up and compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]


@dataclass(frozen=True)
class Tour:
    """One robot in one room."""

    path: tuple[Point, ...]  # metres
    contacts: int  # how often it ran into something
    stops: int  # how often it stood or turned on the spot because of what it saw, or did not see
    reached: int  # waypoints
    reactions_ms: tuple[float, ...] = ()  # from an image's stamp to its effect on the wheels

    @property
    def metres(self) -> float:
        """Length of the path."""
        return sum(math.dist(a, b) for a, b in zip(self.path, self.path[1:], strict=False))


@dataclass(frozen=True)
class Total:
    """Tours of one kind together."""

    tours: int
    metres: float
    contacts: int
    stops: int
    reached: int
    reaction_ms: tuple[float, float]  # median and 95th percentile; not a number: none

    @property
    def contacts_per_100_m(self) -> float:
        """Contacts for each 100 m; not a number if it went nowhere."""
        return 100 * self.contacts / self.metres if self.metres else math.nan


def add_up(tours: Sequence[Tour]) -> Total:
    """All tours of one kind."""
    reactions = [ms for tour in tours for ms in tour.reactions_ms]
    low, high = np.percentile(reactions, [50, 95]) if reactions else (math.nan, math.nan)
    return Total(
        len(tours),
        sum(tour.metres for tour in tours),
        sum(tour.contacts for tour in tours),
        sum(tour.stops for tour in tours),
        sum(tour.reached for tour in tours),
        (float(low), float(high)),
    )


def fewer_contacts(total: Total, blind: Total) -> float:
    """Share of the blind robot's contacts per 100 m that were avoided."""
    if not blind.contacts:
        return math.nan
    return 1 - total.contacts_per_100_m / blind.contacts_per_100_m


def share_reached(total: Total, truth: Total) -> float:
    """Waypoints reached, as a share of those that the truth-driven robot reached."""
    return total.reached / truth.reached if truth.reached else math.nan
