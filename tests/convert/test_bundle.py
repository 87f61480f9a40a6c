import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.convert.bundle import needed_bytes, write_bundle
from mobilevlm_ros.convert.options import Options
from mobilevlm_ros.convert.presets import LARGE
from mobilevlm_ros.convert.source import Source, open_source
from mobilevlm_ros.convert.workspace import check_room
from mobilevlm_ros.engine import EngineConfig, Frame, Question, load_bundle, open_engine
from mobilevlm_ros.engine.bundle import sha256
from mobilevlm_ros.engine.errors import BundleError, CheckpointError, ConfigError
from tests.convert.support import TINY, half_weights, make_model, write_official

WHOLE = Options(('fp32',), 'F16')
MIDWAY = 237_000  # bytes: llm.gguf is smaller, vision.onnx larger
# Goes on for ever once the language model is there.
PROGRAM = """
import sys, threading
from pathlib import Path
from mobilevlm_ros.convert.bundle import write_bundle
from mobilevlm_ros.convert.options import Options
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.convert.workspace import Workspace
make = Workspace.make
def make_and_wait(workspace, name, write):
    path = make(workspace, name, write)
    if name == 'llm.gguf':
        print(name, flush=True)
        threading.Event().wait()
    return path
Workspace.make = make_and_wait
write_bundle(open_source(sys.argv[1]), Path(sys.argv[2]), Options(('fp32', 'int8'), 'Q8_0'))
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a disk that is full: every file ends with an error at that size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def official(tmp_path: Path, vocabulary: Path) -> Path:
    return write_official(tmp_path / 'official', vocabulary)


@pytest.fixture(scope='module')
def small(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as it is made unless told otherwise."""
    folder: Path = tmp_path_factory.mktemp('bundle') / 'small'
    write_bundle(source, folder, Options())
    return folder


@pytest.mark.slow
def test_a_bundle_describes_and_checks_itself(small: Path, checkpoint: Path) -> None:
    bundle = load_bundle(small)
    assert (bundle.vision.image_size, bundle.vision.visual_tokens) == (40, 4)
    assert bundle.prompt.head == 'Look: ' and bundle.context_length == 128
    assert bundle.backends['onnxruntime'] == {
        'int8': 'vision-int8.onnx', 'fp16': 'vision-fp16.onnx',
    }  # fmt: skip
    files = {'vision-int8.onnx', 'vision-fp16.onnx', 'llm.gguf'}
    assert names(small) == {*files, 'bundle.json'} and set(bundle.files) == files
    assert names(small.parent) == {'small'}
    content = json.loads((small / 'bundle.json').read_text())
    provenance = content['provenance']
    assert (provenance['trained_by'], provenance['quantisation']) == ('nobody', 'Q4_K_M')
    digest = sha256(checkpoint / 'model.safetensors')
    assert provenance['sha256']['small/model.safetensors'] == digest


@pytest.mark.parametrize('projector', ['ldp', 'ldpv2'])
def test_the_engine_answers_from_an_official_checkpoint(
    tmp_path: Path, vocabulary: Path, projector: str
) -> None:
    geometry = replace(TINY, projector=projector)
    weights = half_weights(make_model(geometry))
    folder = write_official(tmp_path / 'model', vocabulary, geometry, weights)
    prompt = {'head': 'A', 'question': '{question}', 'stop': []}
    source = replace(open_source(folder), prompt=prompt)
    write_bundle(source, tmp_path / 'bundle', Options(('int8',), 'Q8_0'))
    with open_engine(tmp_path / 'bundle', EngineConfig(llm_threads=1)) as engine:
        timing = engine.look(Frame(np.full((60, 80, 3), 90, np.uint8)))
        answer = engine.ask(Question('What?', max_tokens=3))
    assert timing.visual_tokens == geometry.visual_tokens
    assert 1 <= answer.timing.generated_tokens <= 3
    assert engine.bundle.vision.projector == projector


def test_what_exists_is_not_overwritten(source: Source, tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    with pytest.raises(BundleError, match='exists already'):
        write_bundle(source, tmp_path / 'mine', WHOLE)
    assert names(tmp_path) == {'mine'}


def test_a_killed_conversion_goes_on_where_it_was(official: Path, tmp_path: Path) -> None:
    out, partial = tmp_path / 'out', tmp_path / 'out.partial'
    command = [sys.executable, '-c', PROGRAM, str(official), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == 'llm.gguf\n'
        child.kill()
    assert not out.exists()
    before = (partial / 'llm.gguf').stat().st_mtime_ns
    write_bundle(open_source(official), out, Options(('fp32', 'int8'), 'Q8_0'))
    assert not partial.exists()
    assert (out / 'llm.gguf').stat().st_mtime_ns == before
    assert names(out) == {'vision.onnx', 'vision-int8.onnx', 'llm.gguf', 'bundle.json'}
    assert {'fp32', 'int8'} == set(load_bundle(out).backends['onnxruntime'])


def test_other_options_or_weights_are_not_mixed_into_what_was_begun(
    official: Path, tmp_path: Path
) -> None:
    with files_up_to(MIDWAY), pytest.raises(BundleError):
        write_bundle(open_source(official), tmp_path / 'out', WHOLE)
    with pytest.raises(BundleError, match='begun with another options'):
        write_bundle(open_source(official), tmp_path / 'out', Options(('fp16',), 'F16'))
    (official / 'config.json').touch()
    with pytest.raises(BundleError, match='begun with another source'):
        write_bundle(open_source(official), tmp_path / 'out', WHOLE)


@pytest.mark.parametrize(('size', 'there'), [(10_000, []), (MIDWAY, ['llm.gguf', 'state.json'])])
def test_a_full_disk_leaves_nothing_that_looks_finished(
    official: Path, tmp_path: Path, size: int, there: list[str]
) -> None:
    source, out, partial = open_source(official), tmp_path / 'out', tmp_path / 'out.partial'
    with files_up_to(size), pytest.raises(BundleError, match='run the same again'):
        write_bundle(source, out, WHOLE)
    assert not out.exists()
    assert (names(partial) if partial.exists() else set()) == set(there)
    write_bundle(source, out, WHOLE)
    load_bundle(out)


def test_a_disk_too_small_is_noticed_beforehand(source: Source, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r'3\.0 GB free where about 4\.0 GB are needed'):
        check_room(4_000_000_000, 3_000_000_000, tmp_path)
    check_room(3_000_000_000, 3_000_000_000, tmp_path)
    largest = needed_bytes(replace(source, geometry=LARGE), Options())
    assert 8e9 < largest < 11e9  # float16, then 4 bits, of 2.7e9; float32, 16 and 8 of 0.3e9
    plain = needed_bytes(replace(source, geometry=LARGE), Options(('fp16',), 'F16'))
    assert 6e9 < plain < 7e9


def test_a_failed_tensor_leaves_no_bundle(tmp_path: Path, vocabulary: Path) -> None:
    weights = half_weights(make_model(TINY))
    weights['model.norm.weight'][:] = float('nan')
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    with pytest.raises(CheckpointError, match=r'model\.norm\.weight has values that are not fin'):
        write_bundle(open_source(folder), tmp_path / 'out', WHOLE)
    assert names(tmp_path) == {'model'}


def test_a_tampered_file_is_found(small: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(small, tmp_path / 'out'))
    with (out / 'llm.gguf').open('r+b') as file:
        file.seek(-1, 2)
        file.write(b'x')
    with pytest.raises(BundleError, match=r'llm\.gguf is damaged: its SHA-256'):
        load_bundle(out)


@pytest.mark.parametrize(
    ('precisions', 'quantisation', 'complaint'),
    [(('int4',), 'F16', 'int4'), ((), 'F16', 'no precision'), (('int8',), 'Q9', 'Q9 is no')],
)
def test_wrong_options_are_named(
    precisions: tuple[str, ...], quantisation: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Options(precisions, quantisation)
