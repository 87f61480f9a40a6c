"""All figures of one run: as a table for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mobilevlm_ros.bench.harness import Values
from mobilevlm_ros.bench.rows import FLOOR, OURS, PEER, Row
from mobilevlm_ros.bench.summary import Summary, speedup, summarise
from mobilevlm_ros.tables import format_table

HEADER = ('', 'ours', 'peer', 'floor', 'against peer', 'against floor')


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    machine: Mapping[str, str]
    rows: Sequence[Row]
    values: Values
    growth: Sequence[tuple[str, str]] = ()  # what grows, and what it costs
    memory: Mapping[str, float] = field(default_factory=dict)  # peak MB of each side
    table6: Mapping[str, float] = field(default_factory=dict)


def ratios(report: Report) -> dict[str, float]:
    """How many times as fast ours is, by row: as the peer, and with `_floor` as the floor.

    `decode` alone is against the floor, and `decode_peer` against the peer.
    """
    found = {}
    for row in report.rows:
        for side, name in ((PEER, row.name), (FLOOR, f'{row.name}_floor')):
            if ratio := _ratio(report, row, side):
                found[name] = ratio.median
    if peer := found.pop('decode', 0.0):
        found['decode_peer'] = peer
    if floor := found.pop('decode_floor', 0.0):
        found['decode'] = floor
    return found


def to_json(report: Report) -> dict[str, Any]:
    """Everything, ratios first."""
    medians = {
        name: {side: asdict(summarise(values)) for side, values in sides.items() if values}
        for name, sides in report.values.items()
    }
    return {
        'ratios': ratios(report),
        'machine': dict(report.machine),
        'rows': medians,
        'growth': dict(report.growth),
        'peak_memory_mb': dict(report.memory),
        'table6': dict(report.table6),
    }


def format_report(report: Report) -> str:
    """The machine and all tables."""
    parts = [
        '\n'.join(f'{name}: {text}' for name, text in report.machine.items()),
        format_table(HEADER, [_cells(report, row) for row in report.rows]),
    ]
    if report.memory:
        rows = [[name, f'{peak:.0f} MB'] for name, peak in report.memory.items()]
        parts.append(format_table(('peak memory', ''), rows))
    if report.growth:
        parts.append(format_table(('what grows', 'ours'), report.growth))
    if report.table6:
        cells = [f'{value:.4g}' for value in report.table6.values()]
        parts.append(format_table(tuple(report.table6), [cells]))
    return '\n\n'.join(parts)


def _cells(report: Report, row: Row) -> list[str]:
    return [f'{row.title}, {row.unit}', *_medians(report, row), *_ratios(report, row)]


def _medians(report: Report, row: Row) -> Iterator[str]:
    for side in (OURS, PEER, FLOOR):
        values = report.values[row.name].get(side)
        yield format_summary(summarise(values)) if values else ''


def _ratios(report: Report, row: Row) -> Iterator[str]:
    for side, target in ((PEER, row.peer_target), (FLOOR, row.floor_target)):
        ratio = _ratio(report, row, side)
        wanted = f', target {target:g}' if target else ''
        yield f'{format_summary(ratio)} x{wanted}' if ratio else ''


def _ratio(report: Report, row: Row, side: str) -> Summary | None:
    values = report.values[row.name]
    if not values.get(OURS) or not values.get(side):
        return None
    return speedup(values[OURS], values[side], higher_is_better=row.higher_is_better)


def format_summary(summary: Summary) -> str:
    """Median and spread with three digits: `12.3 (11.8 to 13)`."""
    if summary.count < 2:
        return _digits(summary.median)
    return f'{_digits(summary.median)} ({_digits(summary.low)} to {_digits(summary.high)})'


def _digits(value: float) -> str:
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'
