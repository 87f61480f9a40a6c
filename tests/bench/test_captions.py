import json
from pathlib import Path

import pytest

from mobilevlm_ros.bench.captions import (
    Trace,
    best_replay,
    caption_rate,
    read_traces,
    replay,
)
from mobilevlm_ros.engine import ConfigError

COSTS = (10.0, 12.0, 14.0)
PLAIN = Trace(1, (((0, 0), (0, 0)),))
GUESSED = Trace(3, (((2, 2),),))


def test_a_replay_adds_up_what_each_step_costs() -> None:
    assert replay(PLAIN, COSTS) == (2, 20)
    assert replay(GUESSED, COSTS) == (3, 14)


def test_the_replay_with_most_tokens_for_its_cost_is_taken() -> None:
    assert best_replay([PLAIN, GUESSED], COSTS, rows=3) == (3, 14)


def test_drafts_longer_than_what_is_exact_are_not_replayed() -> None:
    assert best_replay([PLAIN, GUESSED], COSTS, rows=2) == (2, 20)
    assert best_replay([GUESSED], COSTS, rows=2) is None


def test_the_rate_of_captions_counts_the_first_token() -> None:
    assert caption_rate(first_ms=900, tokens=9, cost_ms=100) == 10


def test_the_shipped_trace_is_read(root: Path) -> None:
    traces = read_traces(root / 'benchmarks' / 'caption_trace.json')
    assert traces and all(trace.steps for trace in traces)


@pytest.mark.parametrize('content', ['', '[]', json.dumps({'traces': [{'gate': 'change'}]})])
def test_what_is_no_trace_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / 'trace.json'
    file.write_text(content)
    with pytest.raises(ConfigError, match='no trace of captions'):
        read_traces(file)
