import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from mobilevlm_ros.engine import BackendError, Bundle, BundleError, EngineConfig, load_bundle
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.errors import ConfigError, PlanError
from mobilevlm_ros.engine.selection import Machine, select_encoder

CPU = 'CPUExecutionProvider'
CUDA = 'CUDAExecutionProvider'


def no_plan(bundle: Bundle, verify: bool) -> Path:
    raise PlanError('no TensorRT plan is there; run `mobilevlm build-engine`')


def machine(*providers: str, plan: bool = False, gpu: bool = True) -> Machine:
    def given() -> Sequence[str]:
        if not providers:
            raise BackendError('onnxruntime cannot be imported')
        return providers

    found = (lambda bundle, verify: Path('vision.plan')) if plan else no_plan
    return Machine(given, found, lambda: gpu)


@pytest.fixture
def full(fp16_bundle: Path) -> Bundle:
    """A bundle with int8, fp16 and fp32."""
    return load_bundle(fp16_bundle)


def serving(bundle: Path, *precisions: str) -> Bundle:
    """The bundle with some of its precisions only."""
    content = json.loads((bundle / 'bundle.json').read_text())
    files = content['backends']['onnxruntime']
    content['backends']['onnxruntime'] = {name: files[name] for name in precisions}
    (bundle / 'bundle.json').write_text(json.dumps(content))
    return load_bundle(bundle)


def chosen(bundle: Bundle, machine: Machine, **settings: str) -> tuple[str, str]:
    selection = select_encoder(bundle, EngineConfig(**settings), machine)
    return selection.backend, selection.precision


def test_the_fastest_that_is_there_is_chosen(full: Bundle) -> None:
    assert chosen(full, machine(CUDA, CPU, plan=True)) == ('tensorrt', 'fp16')
    assert chosen(full, machine(CUDA, CPU)) == ('onnxruntime_cuda', 'fp16')
    assert chosen(full, machine(CPU)) == ('onnxruntime', 'int8')


def test_each_better_one_is_rejected_with_its_reason(full: Bundle) -> None:
    selection = select_encoder(full, EngineConfig(), machine(CPU))
    assert list(selection.rejected) == ['tensorrt', 'onnxruntime_cuda']
    assert 'build-engine' in selection.rejected['tensorrt']
    assert 'no CUDAExecutionProvider, only CPU' in selection.rejected['onnxruntime_cuda']
    assert selection.describe().startswith('onnxruntime int8; not tensorrt: no TensorRT plan')


def test_without_a_gpu_nobody_is_told_to_install_anything_for_one(full: Bundle) -> None:
    selection = select_encoder(full, EngineConfig(), machine(CPU, gpu=False))
    assert selection.describe() == (
        'onnxruntime int8; not tensorrt, onnxruntime_cuda: no NVIDIA GPU here'
    )


@pytest.mark.parametrize(
    ('providers', 'there', 'expected'),
    [
        ((CPU,), ('fp32', 'fp16'), ('onnxruntime', 'fp32')),
        ((CPU,), ('fp16',), ('onnxruntime', 'fp16')),
        ((CUDA, CPU), ('int8', 'fp32'), ('onnxruntime_cuda', 'fp32')),
    ],
)
def test_the_best_precision_that_the_bundle_has_is_taken(
    fp16_bundle: Path,
    providers: tuple[str, ...],
    there: tuple[str, ...],
    expected: tuple[str, str],
) -> None:
    assert chosen(serving(fp16_bundle, *there), machine(*providers)) == expected


def test_a_precision_that_is_asked_for_is_kept(full: Bundle) -> None:
    all_there = machine(CUDA, CPU, plan=True)
    assert chosen(full, all_there, precision='fp32') == ('onnxruntime_cuda', 'fp32')
    assert chosen(full, machine(CPU), precision='fp16') == ('onnxruntime', 'fp16')


@pytest.mark.parametrize('encoder', ['auto', 'onnxruntime'])
def test_a_precision_that_the_bundle_lacks_is_an_error(tiny_bundle: Path, encoder: str) -> None:
    config = EngineConfig(encoder=encoder, precision='fp16')
    with pytest.raises(BundleError, match=r'nothing for onnxruntime fp16; .*\(fp32, int8\)'):
        select_encoder(load_bundle(tiny_bundle), config, machine(CUDA, CPU))


def test_what_is_forced_is_taken_though_a_better_one_is_there(full: Bundle) -> None:
    all_there = machine(CUDA, CPU, plan=True)
    assert chosen(full, all_there, encoder='onnxruntime') == ('onnxruntime', 'int8')
    assert chosen(full, all_there, encoder='onnxruntime_cuda') == ('onnxruntime_cuda', 'fp16')


@pytest.mark.parametrize(
    ('encoder', 'message'), [('tensorrt', 'build-engine'), ('onnxruntime_cuda', 'onnxruntime-gpu')]
)
def test_what_is_forced_and_not_there_fails(full: Bundle, encoder: str, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        select_encoder(full, EngineConfig(encoder=encoder), machine(CPU))


def test_tensorrt_in_int8_is_refused(full: Bundle) -> None:
    config = EngineConfig(encoder='tensorrt', precision='int8')
    with pytest.raises(ConfigError, match='tensorrt runs fp16 alone, and int8 was asked for'):
        select_encoder(full, config, machine(CPU, plan=True))


def test_where_nothing_runs_every_reason_is_given(full: Bundle) -> None:
    with pytest.raises(BackendError, match=r'tensorrt: no TensorRT plan.*onnxruntime: onnxr'):
        select_encoder(full, EngineConfig(), machine())


def test_one_that_fails_to_load_gives_way_to_the_next(
    full: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    encoder = create_encoder(full, EngineConfig(), machine(CUDA, CPU))  # there is no GPU here
    assert encoder.name == 'onnxruntime int8'
    (record,) = [r for r in caplog.records if r.name.endswith('engine.encoder')]
    text = record.getMessage()
    assert text.startswith('vision encoder: onnxruntime int8; not onnxruntime_cuda: ONNX Runtime')
    assert 'not tensorrt' in text


def test_one_that_is_forced_and_fails_to_load_is_an_error(full: Bundle) -> None:
    with pytest.raises(BackendError, match='could not load CUDAExecutionProvider'):
        create_encoder(full, EngineConfig(encoder='onnxruntime_cuda'), machine(CUDA, CPU))


def test_this_machine_says_itself_what_it_has(full: Bundle) -> None:
    selection = select_encoder(full, EngineConfig())
    assert selection.path == full.backend_file('onnxruntime', selection.precision)


def test_a_bundle_without_what_a_backend_needs_is_named(tiny_bundle: Path) -> None:
    selection = select_encoder(load_bundle(tiny_bundle), EngineConfig(), machine(CPU, plan=True))
    reason = selection.rejected['tensorrt']
    assert reason.startswith('tensorrt needs a fp16 ONNX file, and ')
    assert reason.endswith('has fp32, int8; convert the model again')
