"""Values of Hypothesis' strategies as an endless series that follows from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

T = TypeVar('T')
AT_A_TIME = 200  # it gets slower the more it has drawn, and begins with simple ones


def drawn(strategy: SearchStrategy[T], seed: int) -> Iterator[T]:
    """One value after the other."""
    for turn in count():
        yield from _draw(strategy, seed * 1_000_003 + turn)


def _draw(strategy: SearchStrategy[T], seed: int) -> list[T]:
    values: list[T] = []

    @seeded(seed)
    @settings(
        max_examples=AT_A_TIME,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: T) -> None:
        values.append(value)

    collect()
    return values
