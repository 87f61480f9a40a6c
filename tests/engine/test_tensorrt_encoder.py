"""Over the fake: our decisions and errors, nothing of TensorRT."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.errors import PlanError
from mobilevlm_ros.engine.fake_cuda import FakeCuda
from mobilevlm_ros.engine.fake_tensorrt import Script, installed
from mobilevlm_ros.engine.plans import PlanOptions
from mobilevlm_ros.engine.tensorrt_build import build_plan
from mobilevlm_ros.engine.tensorrt_encoder import TensorRtEncoder, read_plan

VISION = VisionSpec(8, (0.5,) * 3, (0.25,) * 3, visual_tokens=4, width=6)


def mean_of_pixels(pixels: np.ndarray) -> np.ndarray:
    return np.broadcast_to(pixels.mean((1, 2, 3))[:, None, None], (len(pixels), 4, 6))


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script(VISION, mean_of_pixels)
    with installed(script):
        yield script


def build(tmp_path: Path, tiles: int = 1) -> memoryview:
    return build_plan(Path('vision.onnx'), PlanOptions(tiles), tmp_path / 'timing.cache')


def images(count: int) -> np.ndarray:
    levels = np.arange(count, dtype=np.float32)[:, None, None, None]
    return np.broadcast_to(levels, (count, 3, 8, 8))


@pytest.mark.parametrize(('tiles', 'count'), [(1, 1), (1, 3), (4, 2), (4, 9)])
def test_any_number_of_images_is_run_in_batches_of_the_plan(
    script: Script, tmp_path: Path, tiles: int, count: int
) -> None:
    encoder = TensorRtEncoder(build(tmp_path, tiles), VISION, FakeCuda())
    tokens = encoder.encode(images(count))
    assert tokens.shape == (count, 4, 6) and tokens.dtype == np.float32
    assert tokens[:, 0, 0].tolist() == list(range(count))


def test_an_answer_is_not_overwritten_by_the_next(script: Script, tmp_path: Path) -> None:
    encoder = TensorRtEncoder(build(tmp_path), VISION, FakeCuda())
    first = encoder.encode(images(2)[1:])
    encoder.encode(images(1))
    assert first[0, 0, 0] == 1


def test_the_name_tells_version_and_precision(script: Script, tmp_path: Path) -> None:
    encoder = TensorRtEncoder(build(tmp_path), VISION, FakeCuda())
    assert encoder.name == 'tensorrt 10.3.0 fp16'


def test_closing_frees_the_buffers(script: Script, tmp_path: Path) -> None:
    cuda = FakeCuda()
    encoder = TensorRtEncoder(build(tmp_path), VISION, cuda)
    assert cuda.allocated == 1
    encoder.close()
    assert cuda.allocated == 0


@pytest.mark.parametrize('shape', [(3, 8, 8), (1, 3, 8, 9), (0, 3, 8, 8)])
def test_pixels_of_another_shape_are_refused(
    script: Script, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    encoder = TensorRtEncoder(build(tmp_path), VISION, FakeCuda())
    with pytest.raises(BackendError, match=r'shape \(n, 3, 8, 8\), found'):
        encoder.encode(np.zeros(shape, np.float32))


def test_a_run_that_fails_says_what_tensorrt_said(script: Script, tmp_path: Path) -> None:
    encoder = TensorRtEncoder(build(tmp_path), VISION, FakeCuda())
    script.run_error = 'CUDA error 700'
    with pytest.raises(BackendError, match='could not encode the image: CUDA error 700'):
        encoder.encode(images(1))
    script.run_error = ''
    assert encoder.encode(images(2)[1:])[0, 0, 0] == 1  # and the next image is a new chance


def test_a_plan_that_tensorrt_refuses_is_our_error(script: Script, tmp_path: Path) -> None:
    plan = build(tmp_path)
    script.load_error = 'built on another device'
    with pytest.raises(PlanError, match='refuses the plan: built on another device'):
        TensorRtEncoder(plan, VISION, FakeCuda())


@pytest.mark.parametrize('other', [{'width': 7}, {'visual_tokens': 9}, {'image_size': 16}])
def test_a_plan_of_another_model_is_refused_before_it_runs(
    script: Script, tmp_path: Path, other: dict[str, int]
) -> None:
    cuda = FakeCuda()
    with pytest.raises(PlanError, match='of another model'):
        TensorRtEncoder(build(tmp_path), replace(VISION, **other), cuda)
    assert cuda.allocated == 0


def test_a_plan_is_read_from_its_file(script: Script, tmp_path: Path) -> None:
    path = tmp_path / 'vision.plan'
    path.write_bytes(build(tmp_path))
    encoder = TensorRtEncoder(read_plan(path), VISION, FakeCuda())
    assert encoder.encode(images(2)[1:])[0, 0, 0] == 1


@pytest.mark.parametrize('content', [None, b''])
def test_a_plan_that_cannot_be_read_is_our_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / 'vision.plan'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanError, match='cannot be read'):
        read_plan(path)
