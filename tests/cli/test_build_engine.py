"""`mobilevlm build-engine` up to where a GPU would be needed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevlm_ros.cli import build_engine
from mobilevlm_ros.cli.main import main
from mobilevlm_ros.engine import Bundle, ConfigError
from mobilevlm_ros.engine.engine_builder import Request
from mobilevlm_ros.engine.types import Pixels


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / 'images'
    folder.mkdir()
    for index in range(3):
        Image.new('RGB', (8, 6), (index, 0, 0)).save(folder / f'{2 - index}.png')
    (folder / 'notes.txt').write_text('no image')
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Request, list[Pixels]]]:
    """What the command asked the engine to do."""
    calls: list[tuple[Request, list[Pixels]]] = []

    def record(bundle: Bundle, request: Request, images: list[Pixels], say: object) -> Path:
        calls.append((request, images))
        return Path('vision.plan')

    monkeypatch.setattr(build_engine, 'build_engine', record)
    return calls


def test_options_and_images_reach_the_engine(
    root: Path, images: Path, asked: list[tuple[Request, list[Pixels]]]
) -> None:
    nano = str(root / 'models' / 'nano')
    arguments = ['--images', str(images), '--tiles', '4', '--workspace', '256', '--rebuild']
    assert main(['build-engine', nano, *arguments, '--no-preflight']) == 0
    ((request, pixels),) = asked
    assert (request.options.tiles, request.options.workspace_mib) == (4, 256)
    assert request.rebuild and not request.preflight
    assert [image[0, 0, 0] for image in pixels] == [2, 1, 0]


def test_without_images_scenes_are_rendered(
    root: Path, asked: list[tuple[Request, list[Pixels]]]
) -> None:
    assert main(['build-engine', str(root / 'models' / 'nano')]) == 0
    ((request, pixels),) = asked
    assert request == Request()
    assert len(pixels) == build_engine.RENDERED
    assert len({image.tobytes() for image in pixels}) == len(pixels)
    assert all(image.dtype == np.uint8 and image.std() > 5 for image in pixels)


def test_a_long_folder_is_cut(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_engine, 'MOST_IMAGES', 2)
    assert len(build_engine.read_images(images)) == 2


@pytest.mark.parametrize(('name', 'message'), [('', 'no images'), ('absent', 'not a folder')])
def test_a_folder_without_images_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_engine.read_images(tmp_path / name)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'convert the model again with it'),
        (['--images', '{folder}'], 'has no images'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    bundle = int8_alone(root / 'models' / 'nano', tmp_path)
    arguments = [text.format(folder=tmp_path) for text in arguments]
    assert main(['build-engine', str(bundle), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('mobilevlm build-engine: ') and message in error
    assert error.count('\n') == 1


def int8_alone(nano: Path, folder: Path) -> Path:
    """Nano with its int8 file alone, whatever precisions it ships with."""
    content = json.loads((nano / 'bundle.json').read_text())
    name = content['backends']['onnxruntime']['int8']
    content['backends']['onnxruntime'] = {'int8': name}
    content['files'] = {
        file: spec for file, spec in content['files'].items()
        if file in (name, content['backends']['llama_cpp'])
    }  # fmt: skip
    for file in content['files']:
        (folder / file).symlink_to(nano / file)
    (folder / 'bundle.json').write_text(json.dumps(content))
    return folder
