"""Pass or fail: what a robot's budget file allows, beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from mobilevlm_ros.bench.report import Report
from mobilevlm_ros.bench.rows import OURS
from mobilevlm_ros.bench.summary import summarise
from mobilevlm_ros.engine import ConfigError
from mobilevlm_ros.tables import format_table

ROWS = {  # name in the file: row of the table
    'encode_ms': 'encode',
    'first_token_new_ms': 'new_frame',
    'first_token_held_ms': 'held_frame',
    'first_token_looking_ms': 'looking',
    'four_questions_new_ms': 'four_questions',
    'four_questions_held_ms': 'four_questions_held',
    'answer_ms': 'answer',
    'decode_tokens_per_s': 'decode',
    'static_view_cpu_s': 'static_view',
}
MEMORY = 'peak_memory_mb'
AT_LEAST = {'decode_tokens_per_s'}
KNOWN = (*ROWS, MEMORY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit and what was measured."""

    name: str
    limit: float
    found: float

    @property
    def met(self) -> bool:
        """Whether the limit was kept."""
        if self.name in AT_LEAST:
            return self.found >= self.limit
        return self.found <= self.limit


def read_limits(path: Path) -> dict[str, float]:
    """Read a budget file: YAML of names and numbers.

    Raises:
        ConfigError: if it cannot be read, is empty, or has something else in it.
    """
    try:
        limits = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ConfigError(f'{path} cannot be read as YAML: {error}') from error
    if not isinstance(limits, Mapping) or not limits:
        raise ConfigError(f'{path} should hold limits, such as `encode_ms: 500`')
    for name, limit in limits.items():
        _check(path, name, limit)
    return {name: float(limit) for name, limit in limits.items()}


def judge(limits: Mapping[str, float], report: Report) -> list[Verdict]:
    """Each limit beside the median that was measured."""
    found = {name: _median(report, row) for name, row in ROWS.items()}
    found[MEMORY] = report.memory.get(OURS, math.nan)
    return [Verdict(name, limit, found[name]) for name, limit in limits.items()]


def format_verdicts(verdicts: list[Verdict]) -> str:
    """A table."""
    rows = [
        [verdict.name, f'{verdict.limit:g}', f'{verdict.found:.4g}', _word(verdict)]
        for verdict in verdicts
    ]
    return format_table(('budget', 'limit', 'found', ''), rows)


def _word(verdict: Verdict) -> str:
    return 'ok' if verdict.met else 'MISSED'


def _median(report: Report, row: str) -> float:
    values = report.values.get(row, {}).get(OURS)
    return summarise(values).median if values else math.nan


def _check(path: Path, name: object, limit: object) -> None:
    if name not in KNOWN:
        raise ConfigError(f'{path}: {name!r} is not known; known are {", ".join(KNOWN)}')
    if type(limit) not in (int, float) or not 0 < float(str(limit)) < math.inf:
        raise ConfigError(f'{path}: {name} is {limit!r}; it must be a number above zero')
