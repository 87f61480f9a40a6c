from pathlib import Path

import pytest

from mobilevlm_ros.cli.main import main


def test_a_bad_budget_is_refused_before_anything_is_measured(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = tmp_path / 'budget.yaml'
    budget.write_text('encode: 3')
    assert main(['bench', str(root / 'models' / 'nano'), '--budget', str(budget)]) == 2
    assert 'known are encode_ms' in capsys.readouterr().err


def test_a_bundle_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['bench', 'nowhere', '--memory']) == 2
    assert 'nowhere' in capsys.readouterr().err
