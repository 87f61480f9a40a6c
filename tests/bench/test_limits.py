from pathlib import Path

import pytest
import yaml

from mobilevlm_ros.bench.limits import KNOWN, format_verdicts, judge, read_limits
from mobilevlm_ros.bench.report import Report
from mobilevlm_ros.engine import ConfigError

REPORT = Report(
    {}, (), {'encode': {'ours': [400.0]}, 'decode': {'ours': [20.0]}}, memory={'ours': 900.0}
)


def write(folder: Path, text: str) -> Path:
    file = folder / 'budget.yaml'
    file.write_text(text)
    return file


def met(**limits: float) -> list[bool]:
    return [verdict.met for verdict in judge(limits, REPORT)]


def test_times_and_memory_may_be_at_most_the_limit() -> None:
    assert met(encode_ms=400, peak_memory_mb=900) == [True, True]
    assert met(encode_ms=399, peak_memory_mb=899) == [False, False]


def test_a_rate_must_be_at_least_the_limit() -> None:
    assert met(decode_tokens_per_s=20) == [True]
    assert met(decode_tokens_per_s=21) == [False]


def test_what_was_not_measured_is_missed() -> None:
    assert met(answer_ms=1e9) == [False]


def test_a_missed_limit_is_seen_in_the_table() -> None:
    assert 'MISSED' in format_verdicts(judge({'encode_ms': 1}, REPORT))


def test_an_unknown_limit_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'encode' is not known; known are encode_ms, first"):
        read_limits(write(tmp_path, 'encode: 3'))


@pytest.mark.parametrize('value', ['fast', '-1', '0', '.inf', '.nan', 'true', '[1]'])
def test_a_limit_is_a_number_above_zero(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match='above zero'):
        read_limits(write(tmp_path, f'encode_ms: {value}'))


@pytest.mark.parametrize('text', ['', '3', '- encode_ms', 'a: b: c', '\0'])
def test_a_file_without_limits_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r'budget\.yaml'):
        read_limits(write(tmp_path, text))


def test_the_shipped_example_names_every_limit(root: Path) -> None:
    file = root / 'config' / 'bench_budget.yaml'
    assert read_limits(file)
    text = file.read_text().split('\n\n', 1)[1]
    assert set(yaml.safe_load(text.replace('\n# ', '\n'))) == set(KNOWN)
