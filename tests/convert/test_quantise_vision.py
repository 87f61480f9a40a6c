"""int8 on a tower with outliers as trained ones have them."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from mobilevlm_ros.convert.fused_attention import fuse_attention
from mobilevlm_ros.convert.int8_rewriting import (
    Activation,
    channel_factors,
    find_activations,
    largest_rows,
    outlier_channels,
    scale_tokens,
)
from mobilevlm_ros.convert.onnx_graph import drop_unread, sort_nodes
from mobilevlm_ros.convert.quantise_vision import (
    IMAGES,
    Int8Options,
    cure_channels,
    measure_spreads,
    quantise_vision,
    synthetic_pixels,
)
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.convert.vision_onnx import export_vision
from mobilevlm_ros.model.mobilevlm import Geometry

GEOMETRY = Geometry(
    image_size=112, patch_size=14, vision_width=192, vision_layers=4, vision_heads=3, width=256
)
PLAIN = Int8Options(channels=False, tokens=False, small_projector=0, fitted=False)
NONE = np.array([], np.int64)


TOWERS = [('ldp', 4, 0), ('ldp', 3, 1), ('ldpv2', 3, 2)]  # projector, blocks, seed
HARSH = ('ldp', 4, 0)


def make_tower(root: Path, folder: Path, tower: tuple[str, int, int], harsh: bool = False) -> Path:
    """One of the towers that benchmarks/int8_towers.py measures, in float32."""
    projector, blocks, seed = tower
    spec = importlib.util.spec_from_file_location('outliers', root / 'benchmarks' / 'outliers.py')
    assert spec and spec.loader
    outliers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(outliers)
    path = folder / 'fp32.onnx'
    geometry = replace(GEOMETRY, projector=projector, vision_layers=blocks)
    export_vision(outliers.outlier_tower(geometry, seed, harsh, harsh), path)
    return path


@pytest.fixture(scope='module', params=TOWERS, ids=lambda tower: '-'.join(map(str, tower)))
def whole(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return make_tower(root, tmp_path_factory.mktemp('outliers'), request.param)


def images() -> np.ndarray:
    """Others than those that the channels were measured on."""
    return np.stack([*synthetic_pixels(112, IMAGES + 2)][IMAGES:])


def tokens(path: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return np.stack([session.run(None, {'pixels': image[None]})[0][0] for image in pixels])


def worst_cosine(whole: Path, path: Path, options: Int8Options) -> float:
    quantise_vision(whole, path, options)
    return float(token_cosines(tokens(path, images()), tokens(whole, images())).min())


@pytest.mark.slow
def test_outliers_do_not_drown_the_rest(whole: Path, tmp_path: Path) -> None:
    cured = worst_cosine(whole, tmp_path / 'int8.onnx', Int8Options())
    plain = worst_cosine(whole, tmp_path / 'plain.onnx', PLAIN)
    assert cured >= 0.99
    assert 1 - plain > 5 * (1 - cured)


@pytest.mark.slow
def test_large_gains_in_the_projector_too_and_saturated_blocks_are_survived(
    root: Path, tmp_path: Path
) -> None:
    whole = make_tower(root, tmp_path, HARSH, harsh=True)
    fitted = worst_cosine(whole, tmp_path / 'int8.onnx', Int8Options())
    nearest = worst_cosine(whole, tmp_path / 'nearest.onnx', Int8Options(fitted=False))
    assert fitted >= 0.99 > nearest


def test_the_tower_itself_is_not_upset_by_a_little_noise(whole: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.003, (2, 3, 112, 112)).astype(np.float32)
    noisy = tokens(whole, images() + noise)
    assert token_cosines(noisy, tokens(whole, images())).min() >= 0.998


def test_every_product_of_the_tower_is_quantised(whole: Path, tmp_path: Path) -> None:
    attention = [node.op_type for node in onnx.load(whole).graph.node].count('Softmax')
    for share, products in ((0, 6 * attention + 2), (1, 6 * attention)):
        quantise_vision(whole, tmp_path / 'int8.onnx', Int8Options(split=0, small_projector=share))
        kinds = [node.op_type for node in onnx.load(tmp_path / 'int8.onnx').graph.node]
        assert kinds.count('MatMulInteger') == products
        assert kinds.count('MultiHeadAttention') == attention
        assert 'Softmax' not in kinds


def test_the_rewritings_change_nothing_but_rounding(whole: Path, tmp_path: Path) -> None:
    model = onnx.load(whole)
    fuse_attention(model)
    sort_nodes(model)
    weights = {w.name: w for w in model.graph.initializer}
    activations = find_activations(model, weights)
    spreads = measure_spreads(model, activations, tmp_path / 'scratch.onnx')
    for activation in reversed(activations):
        cure_channels(model.graph, activation, weights, spreads[activation.name], Int8Options())
        scale_tokens(model.graph, activation)
    drop_unread(model.graph)
    onnx.save(sort_nodes(model), tmp_path / 'rewritten.onnx')
    cosines = token_cosines(tokens(tmp_path / 'rewritten.onnx', images()), tokens(whole, images()))
    assert cosines.min() >= 0.999999


def test_only_channels_that_contribute_much_are_split_off() -> None:
    largest, rows = np.array([1, 2, 100, 1, 50, 1, 1]), np.array([1, 1, 1, 1, 1, 1, 10])
    assert outlier_channels(largest, rows, 16).tolist() == [2, 4, 6]
    assert outlier_channels(largest, rows, 1).tolist() == [2]
    assert outlier_channels(np.ones(6), np.ones(6), 16).tolist() == []


def test_what_was_split_off_is_pushed_below_the_others() -> None:
    factors = channel_factors(np.array([1, 1, 100, 1]), np.ones(4), np.array([2]))
    np.testing.assert_allclose(np.array([1, 1, 100, 1]) / factors, [1, 1, 1 / 64, 1])


def test_a_large_column_does_not_hide_what_stands_out_in_the_others() -> None:
    matrix = np.random.default_rng(0).uniform(0.5, 1, (8, 4)).astype(np.float32)
    matrix[3] *= 20
    node = helper.make_node('MatMul', ['x', 'm'], ['y'])
    rows = []
    for size in (1, 1000):
        scaled = matrix * np.array([1, 1, 1, size], np.float32)
        weights = {'m': numpy_helper.from_array(scaled, 'm')}
        rows.append(largest_rows(Activation('x', (), [node]), weights))
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-5)
    assert outlier_channels(np.ones(8), rows[1], 16).tolist() == [3]


def test_a_large_channel_is_divided_and_a_large_weight_multiplied() -> None:
    factors = channel_factors(np.array([1, 100, 1, 1]), np.array([1, 1, 1, 4]), NONE)
    np.testing.assert_allclose(factors, [1, 10, 1, 0.5])


def test_a_channel_that_is_always_zero_stays_finite() -> None:
    factors = channel_factors(np.array([0.0, 1, 1]), np.array([1, 0.0, 1]), NONE)
    assert np.isfinite(factors).all()
