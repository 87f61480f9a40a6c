"""The whole benchmark on nano. Its figures are not looked at: this machine may be busy."""

import json
from pathlib import Path

import pytest

from mobilevlm_ros.bench.memory import format_memory, measure_memory
from mobilevlm_ros.bench.picture import draw
from mobilevlm_ros.bench.report import format_report, to_json
from mobilevlm_ros.bench.rows import CAPTIONS, FLOOR, OURS, ROWS, STATIC
from mobilevlm_ros.bench.run import Plan, run
from mobilevlm_ros.engine import EngineConfig


@pytest.mark.slow
def test_every_row_is_measured(root: Path, tmp_path: Path) -> None:
    trace = root / 'benchmarks' / 'caption_trace.json'
    plan = Plan(root / 'models' / 'nano', trace=trace, repetitions=1, static_s=0.3)
    report = run(plan)
    for row in ROWS:
        assert set(report.values[row.name]) == {OURS, FLOOR} & set(row.sides)
        assert all(value > 0 for values in report.values[row.name].values() for value in values)
    assert report.values[CAPTIONS.name][OURS] and report.values[STATIC.name][OURS]
    assert 'question at' in format_report(report)
    assert json.loads(json.dumps(to_json(report)))['ratios']['decode'] > 0
    draw(report, tmp_path / 'ratios.png')
    assert (tmp_path / 'ratios.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.skipif(not Path('/proc/self/smaps').exists(), reason='Linux alone tells')
def test_memory_is_planned_and_measured(root: Path) -> None:
    report = measure_memory(root / 'models' / 'nano', EngineConfig())
    assert abs(report.error) < 0.25  # docs/benchmarks.md has what it is when nothing else runs
    assert 'plan against measured' in format_memory(report)
