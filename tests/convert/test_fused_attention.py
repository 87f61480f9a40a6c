"""Attention of exported towers as one operator."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from mobilevlm_ros.convert.fused_attention import OPERATOR, fuse_attention
from mobilevlm_ros.convert.onnx_graph import sort_nodes
from mobilevlm_ros.convert.quantise_vision import synthetic_pixels
from mobilevlm_ros.convert.tensorrt_operators import unsupported


@pytest.fixture
def nano(root: Path) -> Path:
    """Trained weights."""
    return root / 'models' / 'nano' / 'vision.onnx'


def tokens(model: onnx.ModelProto, batch: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
    size = session.get_inputs()[0].shape[-1]
    pixels = np.stack([*synthetic_pixels(size, batch)])
    return session.run(None, {'pixels': pixels})[0]


@pytest.mark.parametrize('batch', [1, 2])
def test_fused_attention_computes_the_same_on_trained_weights(nano: Path, batch: int) -> None:
    model = onnx.load(nano)
    expected = tokens(model, batch)
    fuse_attention(model)
    kinds = [node.op_type for node in sort_nodes(model).graph.node]
    assert kinds.count(OPERATOR) == 6 and 'Softmax' not in kinds
    np.testing.assert_allclose(tokens(model, batch), expected, atol=1e-5 * np.abs(expected).max())


def test_heads_and_scale_come_from_the_graph(nano: Path) -> None:
    model = onnx.load(nano)
    fuse_attention(model)
    fused = next(node for node in model.graph.node if node.op_type == OPERATOR)
    found = {a.name: onnx.helper.get_attribute_value(a) for a in fused.attribute}
    assert found['num_heads'] == 6
    assert found['scale'] == pytest.approx(32**-0.5)


def drop_scale(graph: onnx.GraphProto) -> None:
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type == 'Softmax':
            product = makers[node.input[0]]
            product.input[0] = makers[product.input[0]].input[0]


def read_weights_twice(graph: onnx.GraphProto) -> None:
    softmax = [node for node in graph.node if node.op_type == 'Softmax']
    graph.node.extend(
        onnx.helper.make_node('Identity', [s.output[0]], [f'{s.output[0]}_shown']) for s in softmax
    )
    graph.output.extend(onnx.ValueInfoProto(name=f'{s.output[0]}_shown') for s in softmax)


def vary_scale(graph: onnx.GraphProto) -> None:
    makers = {output: node for node in graph.node for output in node.output}
    scaled = next(node for node in graph.node if node.op_type == 'Softmax').input[0]
    name = makers[makers[scaled].input[0]].input[1]
    scale = next(w for w in graph.initializer if w.name == name)
    scale.CopyFrom(numpy_helper.from_array(np.full(32, 0.1, np.float32), name))


@pytest.mark.parametrize('change', [drop_scale, read_weights_twice, vary_scale])
def test_what_is_not_that_attention_is_left_as_it_is(nano: Path, change) -> None:
    model = onnx.load(nano)
    change(model.graph)
    before = [node.op_type for node in model.graph.node if node.op_type != 'Mul']
    assert fuse_attention(model) == 0
    assert [node.op_type for node in model.graph.node if node.op_type != 'Mul'] == before
    assert {opset.domain for opset in model.opset_import} == {''}


def test_the_float_file_stays_plain_for_tensorrt(nano: Path) -> None:
    assert unsupported(nano) == []
