"""int8 on a tower with outliers as trained ones have them."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from mobilevlm_ros.convert.quantise_vision import (
    IMAGES,
    Int8Options,
    channel_factors,
    outlier_channels,
    quantise_vision,
    synthetic_pixels,
)
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.convert.vision_onnx import export_vision
from mobilevlm_ros.model.mobilevlm import Geometry

GEOMETRY = Geometry(
    image_size=112, patch_size=14, vision_width=192, vision_layers=4, vision_heads=3, width=256
)
PLAIN = Int8Options(channels=False, tokens=False)


TOWERS = [('ldp', 4, 0), ('ldp', 3, 1), ('ldpv2', 3, 2)]  # projector, blocks, seed


@pytest.fixture(scope='module', params=TOWERS, ids=lambda tower: '-'.join(map(str, tower)))
def whole(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Some of the towers that benchmarks/int8_towers.py measures, in float32."""
    projector, blocks, seed = request.param
    spec = importlib.util.spec_from_file_location('outliers', root / 'benchmarks' / 'outliers.py')
    assert spec and spec.loader
    outliers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(outliers)
    path: Path = tmp_path_factory.mktemp('outliers') / 'fp32.onnx'
    geometry = replace(GEOMETRY, projector=projector, vision_layers=blocks)
    export_vision(outliers.outlier_tower(geometry, seed), path)
    return path


def images() -> np.ndarray:
    """Others than those that the channels were measured on."""
    return np.stack([*synthetic_pixels(112, IMAGES + 2)][IMAGES:])


def tokens(path: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return np.stack([session.run(None, {'pixels': image[None]})[0][0] for image in pixels])


def worst_cosine(whole: Path, path: Path, options: Int8Options) -> float:
    quantise_vision(whole, path, options)
    return float(token_cosines(tokens(path, images()), tokens(whole, images())).min())


def test_outliers_do_not_drown_the_rest(whole: Path, tmp_path: Path) -> None:
    cured = worst_cosine(whole, tmp_path / 'int8.onnx', Int8Options())
    plain = worst_cosine(whole, tmp_path / 'plain.onnx', PLAIN)
    assert cured >= 0.99
    assert 1 - plain > 5 * (1 - cured)


def test_the_tower_itself_is_not_upset_by_a_little_noise(whole: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.003, (2, 3, 112, 112)).astype(np.float32)
    noisy = tokens(whole, images() + noise)
    assert token_cosines(noisy, tokens(whole, images())).min() >= 0.998


def test_every_product_with_a_constant_matrix_is_quantised(whole: Path, tmp_path: Path) -> None:
    quantise_vision(whole, tmp_path / 'int8.onnx', Int8Options(split=0))
    kinds = [node.op_type for node in onnx.load(tmp_path / 'int8.onnx').graph.node]
    attention = [node.op_type for node in onnx.load(whole).graph.node].count('Softmax')
    assert kinds.count('MatMulInteger') == 6 * attention + 2
    assert kinds.count('MatMul') == 2 * attention  # those of attention, between activations


def test_only_channels_that_stand_out_are_split_off() -> None:
    largest = np.array([1, 2, 100, 1, 50, 1])
    assert outlier_channels(largest, 16).tolist() == [2, 4]
    assert outlier_channels(largest, 1).tolist() == [2]
    assert outlier_channels(np.ones(6), 16).tolist() == []


def test_a_large_channel_is_divided_and_a_large_weight_multiplied() -> None:
    factors = channel_factors(np.array([1, 100, 1, 1]), np.array([1, 1, 1, 4]))
    np.testing.assert_allclose(factors, [1, 10, 1, 0.5])


def test_a_channel_that_is_always_zero_stays_finite() -> None:
    assert np.isfinite(channel_factors(np.array([0.0, 1, 1]), np.array([1, 0.0, 1]))).all()
