"""Measuring side after side: warm up, repeat, interleave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tqdm import tqdm

from mobilevlm_ros.bench.rows import Row

Values = dict[str, dict[str, list[float]]]  # row, side


class Caller(Protocol):
    """A side, here or in a process of its own."""

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the side."""


def measure(sides: Mapping[str, Caller], rows: Sequence[Row], repetitions: int) -> Values:
    """Every row of every side so many times, after once that does not count.

    The sides of a row come one after the other, in an order that turns, so that whatever slows
    the machine down for a while slows all of them.
    """
    values: Values = {row.name: {side: [] for side in _sides(sides, row)} for row in rows}
    for turn in tqdm(range(repetitions + 1), 'rounds', disable=None):
        for row in tqdm(rows, leave=False, disable=None):
            for side in _turned(_sides(sides, row), turn):
                value = float(sides[side].call(row.name))
                if turn:
                    values[row.name][side].append(value)
    return values


def _sides(sides: Mapping[str, Caller], row: Row) -> list[str]:
    return [side for side in row.sides if side in sides]


def _turned(sides: Sequence[str], by: int) -> Iterable[str]:
    by %= max(1, len(sides))
    return [*sides[by:], *sides[:by]]
