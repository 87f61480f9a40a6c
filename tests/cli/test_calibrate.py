import json
import shutil
from pathlib import Path

import pytest

from mobilevlm_ros.cli.calibrate import write_temperature
from mobilevlm_ros.cli.main import main
from mobilevlm_ros.engine import load_bundle


def test_the_temperature_alone_changes_in_the_bundle(root: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(root / 'models/nano', tmp_path / 'nano'))
    before = json.loads((bundle / 'bundle.json').read_text())
    write_temperature(bundle, 1.25)
    assert load_bundle(bundle).temperature == 1.25
    after = json.loads((bundle / 'bundle.json').read_text())
    before['language']['temperature'] = 1.25
    assert after == before


def test_it_fits_measures_draws_and_writes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Path(shutil.copytree(root / 'models/nano', tmp_path / 'nano'))
    file = tmp_path / 'figures.json'
    command = ['calibrate', str(bundle), '--questions', '20', '--fit', '--json', str(file)]
    assert main([*command, '--figures', str(tmp_path / 'drawn')]) == 0
    result = json.loads(file.read_text())
    assert list(result['splits']) == ['plain', 'perturbed']
    assert result['splits']['plain']['count'] == 20
    assert result['splits']['plain']['decoded_tokens']['is_there'] < 16
    assert load_bundle(bundle).temperature == result['temperature']
    for name in ('reliability.png', 'risk-coverage.png'):
        assert 1000 < (tmp_path / 'drawn' / name).stat().st_size < 60_000
    assert 'perturbed' in capsys.readouterr().out


def test_a_temperature_needs_a_bundle_that_can_be_written_to(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('os.access', lambda path, mode: False)  # root may write anywhere
    assert main(['calibrate', str(root / 'models/nano'), '--fit']) == 2
    assert 'which cannot be written to; copy it' in capsys.readouterr().err
