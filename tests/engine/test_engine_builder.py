"""Over the fake: what is decided, and nothing of TensorRT. The gate compares with real ONNX."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import Bundle, BundleError, load_bundle
from mobilevlm_ros.engine.bundle import FileSpec
from mobilevlm_ros.engine.engine_builder import Request, build_engine
from mobilevlm_ros.engine.errors import BackendError, MemoryShortError, PlanError
from mobilevlm_ros.engine.fake_cuda import FakeCuda
from mobilevlm_ros.engine.fake_tensorrt import Script, installed
from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder
from mobilevlm_ros.engine.plans import PlanOptions, read_record

IMAGES = [np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8) for seed in (1, 2)]
Build = Callable[..., Path]


@pytest.fixture
def bundle(fp16_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return load_bundle(fp16_bundle)


@pytest.fixture
def script(bundle: Bundle) -> Iterator[Script]:
    """An engine that is as good as it can be: it runs the same file in ONNX Runtime."""
    path = bundle.backend_file('onnxruntime', 'fp32')
    script = Script(bundle.vision, OnnxEncoder(path, bundle.vision, 'fp32', 1).encode)
    with installed(script):
        yield script


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def build(bundle: Bundle, script: Script, said: list[str]) -> Build:
    def build(cuda: FakeCuda | None = None, **request: object) -> Path:
        wanted = Request(**request)  # type: ignore[arg-type]
        return build_engine(bundle, wanted, IMAGES, said.append, cuda or FakeCuda())

    return build


def plans(bundle: Bundle) -> list[str]:
    return sorted(path.suffix for path in (bundle.path / 'tensorrt').glob('vision*'))


def test_a_plan_is_built_compared_and_kept(build: Build, script: Script, said: list[str]) -> None:
    path = build()
    record = read_record(path.with_suffix('.json'))
    assert record is not None and record.cosine > 0.99999
    assert (record.reference, record.images) == ('fp32', 2)
    assert (record.key.tensorrt, record.key.sm) == ('10.3.0', '87')
    assert any('worst token, 1 at a time: cosine 1.000000' in text for text in said)
    assert script.builds == [{'flags': 2, 'workspace': 1 << 30, 'batch': 1}]


def test_options_reach_the_builder(build: Build, script: Script) -> None:
    build(options=PlanOptions(tiles=4, workspace_mib=256))
    assert script.builds[0]['batch'] == 4 and script.builds[0]['workspace'] == 256 << 20


def test_a_plan_that_fits_is_not_built_again(build: Build, script: Script) -> None:
    assert build() == build()
    assert len(script.builds) == 1
    build(rebuild=True)
    assert len(script.builds) == 2


@pytest.mark.parametrize('sm, options', [('86', PlanOptions()), ('87', PlanOptions(tiles=2))])
def test_another_gpu_or_option_builds_anew(
    build: Build, script: Script, sm: str, options: PlanOptions
) -> None:
    build()
    build(FakeCuda(sm), options=options)
    assert len(script.builds) == 2


def test_another_tensorrt_builds_anew(bundle: Bundle, build: Build, script: Script) -> None:
    first = build()
    script.version = '10.16.2'
    with installed(script):
        second = build()
    assert len(script.builds) == 2 and first != second


def test_another_model_builds_anew(
    bundle: Bundle, build: Build, script: Script, said: list[str]
) -> None:
    build()
    files = {**bundle.files, 'vision-fp16.onnx': FileSpec('0' * 64, 1)}
    build_engine(replace(bundle, files=files), Request(), IMAGES, said.append, FakeCuda())
    assert len(script.builds) == 2


def test_a_damaged_plan_or_one_without_record_is_built_anew(
    build: Build, script: Script, said: list[str]
) -> None:
    path = build()
    path.write_bytes(b'x')
    build()
    assert any('1 bytes where' in text and 'building again' in text for text in said)
    path.with_suffix('.json').unlink()
    build()
    assert len(script.builds) == 3


def test_timings_of_the_last_build_are_used_by_the_next(build: Build, script: Script) -> None:
    build()
    build(rebuild=True)
    assert script.timings_read == [b'', b'10.3.0 kernel']


def test_timings_of_another_device_are_not_used(
    bundle: Bundle, build: Build, script: Script
) -> None:
    build()
    (timing,) = (bundle.path / 'tensorrt').glob('timing*')
    timing.write_bytes(b'foreign')
    build(rebuild=True)
    assert script.timings_read[-1] == b''
    assert timing.read_bytes() == b'10.3.0 kernel'


@pytest.mark.parametrize('noise', [0.2, np.nan])
def test_an_engine_that_is_not_accurate_is_refused_and_not_kept(
    bundle: Bundle, build: Build, script: Script, noise: float
) -> None:
    exact = script.run

    def spoil(pixels: np.ndarray) -> np.ndarray:
        tokens = exact(pixels)
        tokens[:, 3, ::2] += noise * np.abs(tokens).max()
        return tokens

    script.run = spoil
    with pytest.raises(PlanError, match=r'not accurate and was not kept.*\(token 3 of image'):
        build()
    assert plans(bundle) == []


@pytest.mark.parametrize('tiles', [2, 3])  # there are two images
def test_an_engine_that_is_wrong_in_batches_alone_is_refused(
    build: Build, script: Script, said: list[str], tiles: int
) -> None:
    exact = script.run

    def spoil(pixels: np.ndarray) -> np.ndarray:
        return exact(pixels) if len(pixels) < tiles else -exact(pixels)

    script.run = spoil
    with pytest.raises(PlanError, match=f'not accurate .*{tiles} at a time: cosine -1'):
        build(options=PlanOptions(tiles=tiles))
    assert any('1 at a time: cosine 1.0' in text for text in said)


def test_an_engine_that_is_refused_takes_the_place_of_none(
    bundle: Bundle, build: Build, script: Script
) -> None:
    path = build()
    script.run = lambda pixels: np.zeros((len(pixels), 16, 64), np.float32)
    with pytest.raises(PlanError, match='not accurate'):
        build(options=PlanOptions(tiles=2))
    record = read_record(path.with_suffix('.json'))
    assert record is not None and record.options.tiles == 1


def test_a_file_that_cannot_be_parsed_names_the_node(
    bundle: Bundle, build: Build, script: Script
) -> None:
    script.parser_errors = ('no importer', 'bad shape')
    message = r'Attention node_0: no importer; Attention node_1: bad shape'
    with pytest.raises(PlanError, match=message):
        build()
    assert plans(bundle) == []


def test_a_build_that_fails_says_what_tensorrt_said(
    bundle: Bundle, build: Build, script: Script
) -> None:
    script.build_error = 'could not find any\n implementation'
    with pytest.raises(PlanError, match='could not find any implementation'):
        build()
    assert plans(bundle) == []


def test_too_little_memory_is_found_before_the_build(
    build: Build, script: Script, said: list[str]
) -> None:
    with pytest.raises(MemoryShortError, match='estimated to take'):
        build(FakeCuda(free=1 << 20))
    assert script.builds == [] and not any('ONNX Runtime' in text for text in said)
    build(FakeCuda(free=1 << 20), preflight=False)
    assert len(script.builds) == 1


def test_without_fp32_the_reference_is_fp16(
    fp16_bundle: Path, script: Script, said: list[str]
) -> None:
    manifest = fp16_bundle / 'bundle.json'
    manifest.write_text(manifest.read_text().replace('"fp32": "vision.onnx", ', ''))
    path = build_engine(load_bundle(fp16_bundle), Request(), IMAGES, said.append, FakeCuda())
    record = read_record(path.with_suffix('.json'))
    assert record is not None and record.reference == 'fp16'


def test_without_a_fp16_file_nothing_is_begun(
    tiny_bundle: Path, script: Script, said: list[str]
) -> None:
    with pytest.raises(BundleError, match='convert the model again'):
        build_engine(load_bundle(tiny_bundle), Request(), IMAGES, said.append, FakeCuda())
    assert said == []


def test_without_tensorrt_it_is_our_error(bundle: Bundle, said: list[str]) -> None:
    with pytest.raises(BackendError, match='tensorrt cannot be imported'):
        build_engine(bundle, Request(), IMAGES, said.append, FakeCuda())
