"""Rounding of matrices to int8 by what their products lose."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mobilevlm_ros.convert.int8_rounding import LARGEST, PAIR, Rounded, round_matrix


def alike(tokens: int, channels: int) -> np.ndarray:
    """An activation whose channels resemble each other."""
    random = np.random.default_rng(0)
    mixed = random.normal(size=(tokens, channels // 4)) @ random.normal(
        size=(channels // 4, channels)
    )
    return (mixed + 0.1 * random.normal(size=mixed.shape)).astype(np.float32)


def matrix_of(channels: int, columns: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(channels, columns)).astype(np.float32)


def gram_of(activation: np.ndarray) -> np.ndarray:
    return activation.T.astype(np.float64) @ activation


def values_of(rounded: Rounded) -> np.ndarray:
    return rounded.levels * rounded.scales


def fullest_pairs(levels: np.ndarray) -> int:
    pairs = levels.astype(int).reshape(-1, 2, levels.shape[1])
    return int(max(np.maximum(pairs, 0).sum(1).max(), -np.minimum(pairs, 0).sum(1).min()))


def test_products_lose_less_than_half_of_what_seven_bits_rounded_to_the_nearest_lose() -> None:
    activation, matrix = alike(600, 96), matrix_of(96, 40)
    step = np.abs(matrix).max(0) / 64
    nearest = np.rint(matrix / step) * step
    fresh = activation[400:]
    fitted = values_of(round_matrix(matrix, gram_of(activation[:400])))
    lost = [np.square(fresh @ (other - matrix)).mean() for other in (fitted, nearest)]
    assert lost[0] < lost[1] / 4


def test_no_pair_is_larger_than_sixteen_bits_allow_and_all_levels_are_used() -> None:
    matrix = matrix_of(96, 40)
    matrix[8:12] *= 10
    levels = round_matrix(matrix, gram_of(alike(400, 96))).levels
    assert fullest_pairs(levels) <= PAIR
    assert np.abs(levels.astype(int)).max() > 100


def test_the_largest_activations_do_not_saturate_on_this_cpu() -> None:
    matrix = np.abs(matrix_of(96, 40))
    matrix[10:20] *= -1
    levels = round_matrix(matrix, np.eye(96)).levels
    activation = np.full((33, 96), 255, np.uint8)
    node = helper.make_node('MatMulInteger', ['a', 'b'], ['c'])
    given = helper.make_tensor_value_info('a', TensorProto.UINT8, [None, 96])
    made = helper.make_tensor_value_info('c', TensorProto.INT32, [None, 40])
    graph = helper.make_graph(
        [node], 'product', [given], [made], [numpy_helper.from_array(levels, 'b')]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    found = session.run(None, {'a': activation})[0]
    np.testing.assert_array_equal(found, activation.astype(int) @ levels.astype(int))


def test_rows_of_zeros_stay_zero() -> None:
    matrix = matrix_of(96, 40)
    matrix[[3, 50]] = 0
    assert not round_matrix(matrix, gram_of(alike(400, 96))).levels[[3, 50]].any()


@pytest.mark.parametrize('channels', [1, 7, 130])
def test_any_number_of_channels_is_rounded(channels: int) -> None:
    matrix = matrix_of(channels, 5)
    rounded = round_matrix(matrix, np.eye(channels))
    assert np.abs(values_of(rounded) - matrix).max() <= 2.5 * np.abs(matrix).max() / LARGEST


def test_an_activation_that_is_always_zero_and_a_column_of_zeros_stay_finite() -> None:
    matrix = matrix_of(8, 3)
    matrix[:, 1] = 0
    rounded = round_matrix(matrix, np.zeros((8, 8)))
    assert np.isfinite(values_of(rounded)).all()
    assert not rounded.levels[:, 1].any()
