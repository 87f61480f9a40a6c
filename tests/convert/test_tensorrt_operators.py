import itertools
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mobilevlm_ros.convert.tensorrt_operators import unsupported
from mobilevlm_ros.convert.vision_onnx import OPSET, export_vision
from mobilevlm_ros.model.mobilevlm import Geometry, Vision

VARIANTS = itertools.product(('ldp', 'ldpv2'), ('float32', 'float16'))


@pytest.fixture(scope='module', params=VARIANTS, ids='-'.join)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    projector, inner = request.param
    torch.manual_seed(1)
    geometry = Geometry(
        image_size=56, patch_size=14, vision_width=64, vision_layers=1, vision_heads=2, width=64,
        projector=projector,
    )  # fmt: skip
    path: Path = tmp_path_factory.mktemp('onnx') / 'vision.onnx'
    export_vision(Vision(geometry).eval(), path, getattr(torch, inner))
    return path


def test_everything_that_is_exported_is_imported_by_tensorrt(exported: Path) -> None:
    assert onnx.load(exported).opset_import[0].version == OPSET == 18
    assert unsupported(exported) == []


def test_the_shipped_model_is_imported_too(root: Path) -> None:
    assert unsupported(root / 'models' / 'nano' / 'vision.onnx') == []


def test_int8_is_not_for_tensorrt(root: Path) -> None:
    text = '\n'.join(unsupported(root / 'models' / 'nano' / 'vision-int8.onnx'))
    assert 'DynamicQuantizeLinear' in text and 'no such operator' in text


def graph(
    *nodes: onnx.NodeProto, opset: int = 18, kind: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info('x', kind, [1, 2, 3, 4]),
        helper.make_tensor_value_info('axes', TensorProto.INT64, [1]),
    ]
    outputs = [helper.make_tensor_value_info('y', kind, None)]
    made = helper.make_graph(list(nodes), 'g', inputs, outputs)
    return helper.make_model(made, opset_imports=[helper.make_opsetid('', opset)])


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (graph(helper.make_node('Relu', ['x'], ['y']), opset=23), 'opset 23'),
        (graph(helper.make_node('Einsum', ['x'], ['y'], equation='abcd->ab')), 'no such operator'),
        (graph(helper.make_node('Erf', ['x'], ['y']), kind=TensorProto.INT32), 'not for INT32'),
        (graph(helper.make_node('ReduceMean', ['x', 'axes'], ['y'])), 'axes are computed'),
        (
            graph(helper.make_node('LayerNormalization', ['x', 'x'], ['y', 'mean'])),
            'only its first output',
        ),
    ],
)
def test_what_is_not_imported_is_named(
    tmp_path: Path, model: onnx.ModelProto, message: str
) -> None:
    onnx.save(model, tmp_path / 'vision.onnx')
    assert any(message in line for line in unsupported(tmp_path / 'vision.onnx'))
