"""What a proof found: one row a stage, as a table for people and as JSON for scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mobilevlm_ros.tables import format_table

COLUMNS = ('stage', 'compared', 'how much', 'worst case', 'limit', '')


@dataclass(frozen=True)
class Measure:
    """One figure and what bounds it; one that is not a number is past every bound."""

    name: str
    value: float
    least: float = -math.inf
    most: float = math.inf

    @property
    def passed(self) -> bool:
        """Whether the figure lies within its bounds."""
        return self.least <= self.value <= self.most

    def describe_limit(self) -> str:
        """The bounds for people; nothing if the figure is only reported."""
        least = f'>= {self.least:g}' if self.least > -math.inf else ''
        return least or (f'<= {self.most:g}' if self.most < math.inf else '')


@dataclass(frozen=True)
class Row:
    """One stage of a proof."""

    stage: str
    compared: str  # what with what
    amount: str  # how much of it
    worst: tuple[Measure, ...]  # the worst case of each measure
    note: str = ''  # where the worst case is, or what was left out

    @property
    def passed(self) -> bool:
        """Whether every measure lies within its bounds."""
        return all(measure.passed for measure in self.worst)


def format_rows(rows: Sequence[Row]) -> str:
    """All rows in columns, and the notes below."""
    notes = [f'{row.stage}: {row.note}' for row in rows if row.note]
    return '\n'.join([format_table(COLUMNS, [_cells(row) for row in rows]), *notes])


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON takes them: what does not bound a figure is null."""
    return [
        {
            'stage': row.stage,
            'compared': row.compared,
            'amount': row.amount,
            'worst': [_finite(asdict(measure)) for measure in row.worst],
            'passed': row.passed,
            'note': row.note,
        }
        for row in rows
    ]


def _cells(row: Row) -> tuple[str, ...]:
    worst = ', '.join(f'{measure.name} {measure.value:.6g}' for measure in row.worst)
    limits = ', '.join(filter(None, (measure.describe_limit() for measure in row.worst)))
    verdict = 'pass' if row.passed else 'FAIL'
    return row.stage, row.compared, row.amount, worst, limits or 'none', verdict


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    infinite = {k for k, v in values.items() if isinstance(v, float) and not math.isfinite(v)}
    return {key: None if key in infinite else value for key, value in values.items()}
