"""The whole proof over a small bundle, as it is and with one part of it tampered with."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import onnx
import pytest
from PIL import Image

from mobilevlm_ros.cli.main import main
from mobilevlm_ros.convert.bundle import write_bundle
from mobilevlm_ros.convert.options import Options
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.engine.bundle import MANIFEST, sha256

HEADS, WIDTH = 2, 64

Prove = Callable[[Path], tuple[int, set[str]]]


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of noise, one wide and one high."""
    folder: Path = tmp_path_factory.mktemp('images')
    random = np.random.default_rng(0)
    for name, shape in (('wide', (48, 64, 3)), ('high', (70, 30, 3))):
        pixels = random.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(folder / f'{name}.png')
    return folder


@pytest.fixture(scope='module')
def made(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp('verify') / 'small'
    write_bundle(source, folder, Options(('fp32', 'fp16', 'int8'), 'F16'))
    return folder


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(made, tmp_path / 'own'))


@pytest.fixture
def prove(checkpoint: Path, images: Path, tmp_path: Path) -> Prove:
    """Runs the command; returns its exit code and the stages that failed."""

    def prove(bundle: Path) -> tuple[int, set[str]]:
        figures = tmp_path / 'figures.json'
        options = ['--against', str(checkpoint), '--images', str(images), '--tokens', '8']
        code = main(['verify', str(bundle), *options, '--json', str(figures)])
        stages = json.loads(figures.read_text())['stages']
        assert len(stages) == 7
        return code, {stage['stage'] for stage in stages if not stage['passed']}

    return prove


def reseal(bundle: Path) -> None:
    """Make the checksums right again, as whoever tampers with files on purpose would."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    for name, entry in manifest['files'].items():
        path = bundle / name
        entry.update(sha256=sha256(path), bytes=path.stat().st_size)
    (bundle / MANIFEST).write_text(json.dumps(manifest))


def test_what_was_converted_passes(
    made: Path, prove: Prove, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(made) == (0, set())
    table = capsys.readouterr().out
    assert table.count('pass') == 7 and 'FAIL' not in table


def test_a_flipped_tensor_of_one_onnx_file_fails_that_file(own: Path, prove: Prove) -> None:
    model = onnx.load(own / 'vision.onnx')
    matrix = next(w for w in model.graph.initializer if list(w.dims) == [WIDTH, WIDTH])
    matrix.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(matrix), matrix.name))
    onnx.save(model, own / 'vision.onnx')
    reseal(own)
    assert prove(own) == (1, {'vision fp32'})


def test_a_query_matrix_that_was_not_permuted_fails_the_logits(own: Path, prove: Prove) -> None:
    reader = gguf.GGUFReader(own / 'llm.gguf', 'r+')
    query = next(t for t in reader.tensors if t.name == 'blk.0.attn_q.weight').data
    pairs = query.reshape(HEADS, WIDTH // HEADS // 2, 2, WIDTH)
    query[:] = pairs.swapaxes(1, 2).reshape(WIDTH, WIDTH)  # back to rotated halves
    query.flush()
    reseal(own)
    code, failed = prove(own)
    assert code == 1 and failed <= {'logits F16', 'greedy F16'} and 'logits F16' in failed


@pytest.fixture(scope='module')
def quantised(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp('quantised') / 'small'
    write_bundle(source, folder, Options(('fp16',), 'Q8_0'))
    return folder


def test_a_quantised_file_passes_and_its_loss_is_reported(
    quantised: Path, prove: Prove, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prove(quantised) == (0, set())
    table = capsys.readouterr().out
    assert all(f'{stage} Q8_0' in table for stage in ('tensors', 'file', 'logits', 'greedy'))


def test_a_damaged_tensor_of_a_quantised_file_is_named(
    quantised: Path, tmp_path: Path, prove: Prove, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Path(shutil.copytree(quantised, tmp_path / 'own'))
    reader = gguf.GGUFReader(own / 'llm.gguf', 'r+')
    up = next(t for t in reader.tensors if t.name == 'blk.1.ffn_up.weight').data
    up[:] = up[::-1].copy()
    up.flush()
    reseal(own)
    assert prove(own) == (1, {'tensors Q8_0'})
    assert 'worst cosine at model.layers.1.mlp.up_proj.weight' in capsys.readouterr().out


def test_a_shifted_mean_fails_preprocessing(own: Path, prove: Prove) -> None:
    manifest = json.loads((own / MANIFEST).read_text())
    manifest['vision']['mean'][1] += 0.01
    (own / MANIFEST).write_text(json.dumps(manifest))
    assert prove(own) == (1, {'preprocessing'})


def test_a_bundle_of_other_sizes_is_not_compared(
    own: Path, checkpoint: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((own / MANIFEST).read_text())
    manifest['vision']['projector'] = 'ldpv2'
    (own / MANIFEST).write_text(json.dumps(manifest))
    options = ['--against', str(checkpoint), '--images', str(images)]
    assert main(['verify', str(own), *options]) == 2
    assert 'compare it with the checkpoint that it was made from' in capsys.readouterr().err


def test_a_folder_without_images_is_named(
    made: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ['--against', str(checkpoint), '--images', str(tmp_path)]
    assert main(['verify', str(made), *options]) == 2
    assert f'{tmp_path} has no images' in capsys.readouterr().err
