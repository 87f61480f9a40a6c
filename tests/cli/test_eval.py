import json
from pathlib import Path

import pytest

from mobilevlm_ros.cli.eval import Mark, proportion, summarise
from mobilevlm_ros.cli.main import main


def test_intervals_are_wilson_s() -> None:
    row = proportion([True] * 90 + [False] * 10)
    assert row['accuracy'] == 0.9 and row['count'] == 100
    assert row['interval'] == pytest.approx([0.8256, 0.9448], abs=1e-4)


def test_nothing_asked_is_no_accuracy() -> None:
    assert proportion([]) == {'accuracy': None, 'count': 0, 'interval': None}


def test_kinds_are_counted_apart_and_descriptions_fact_by_fact() -> None:
    marks = [
        Mark(0, 'how_many', 'How many boxes are there?', '2', '2'),
        Mark(0, 'how_many', 'How many balls are there?', '1', '0'),
        Mark(
            0, 'describe', 'Describe the scene.', 'a red box near ahead', 'a red ball near ahead'
        ),
    ]
    result = summarise(marks)
    assert result['overall']['accuracy'] == pytest.approx(1 / 3)
    assert result['kinds']['how_many']['accuracy'] == 0.5
    assert result['description']['thing']['f1'] == 0


def test_figures_are_written_as_json(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'figures.json'
    command = ['eval', str(root / 'models/nano'), '--scenes', '5', '--seed', '3']
    assert main([*command, '--split', 'unseen', '--json', str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures['seed'], figures['scenes'], list(figures['splits'])) == (3, 5, ['unseen'])
    row = figures['splits']['unseen']['kinds']['is_there']
    assert set(row) == {'accuracy', 'count', 'interval'} and row['count'] > 0
    assert 'is_there' in capsys.readouterr().out
