"""`mobilevlm convert` from the command line, with models of a block or two."""

from pathlib import Path

import pytest

from mobilevlm_ros.cli import main as command
from mobilevlm_ros.convert import presets
from mobilevlm_ros.convert.options import MODELS
from mobilevlm_ros.convert.presets import write_random
from mobilevlm_ros.engine import load_bundle
from tests.convert.support import TINY


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    write_random(TINY, tmp_path / 'my-model', 0, {'random': 'tiny'})
    return tmp_path / 'my-model'


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(['convert', '--help'])
    text = capsys.readouterr().out
    assert 'mobilevlm convert mtgv/MobileVLM_V2-1.7B' in text and '--vision-tower' in text


def test_a_folder_becomes_a_bundle(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'bundle'
    arguments = ['--precision', 'fp32', '--quantise', 'q8_0', '--name', 'mine']
    assert command.main(['convert', str(checkpoint), str(out), *arguments]) == 0
    bundle = load_bundle(out)
    assert bundle.name == 'mine' and bundle.backends['onnxruntime'] == {'fp32': 'vision.onnx'}
    assert f'{out / "llm.gguf"}: 0.' in capsys.readouterr().out


@pytest.mark.parametrize('keep', [True, False])
def test_a_random_model_is_kept_only_if_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    monkeypatch.setitem(presets.PRESETS, MODELS[0], TINY)
    arguments = ['--precision', 'fp32', '--quantise', 'F16']
    arguments += ['--keep-source', str(tmp_path / 'kept')] if keep else []
    out = tmp_path / 'bundle'
    assert command.main(['convert', '--random', MODELS[0], str(out), *arguments]) == 0
    assert load_bundle(out).name == f'{MODELS[0]}-random'
    assert {p.name for p in tmp_path.iterdir()} == {'bundle', *(['kept'] if keep else [])}
