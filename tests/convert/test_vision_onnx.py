from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mobilevlm_ros.convert.quantise_vision import quantise_vision
from mobilevlm_ros.convert.vision_onnx import OPSET, export_vision
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm, Vision


@pytest.fixture(scope='module')
def exported(model: MobileVlm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp('onnx')
    export_vision(model, folder / 'vision.onnx')
    quantise_vision(folder / 'vision.onnx', folder / 'int8.onnx')
    export_vision(deepcopy(model), folder / 'fp16.onnx', torch.float16)
    return folder


def run(path: Path, pixels: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return np.asarray(session.run(None, {'pixels': pixels.numpy()})[0])


@pytest.mark.parametrize('batch', [1, 3])
def test_onnx_gives_pytorch_s_visual_tokens(
    exported: Path, model: MobileVlm, batch: int
) -> None:
    pixels = torch.randn(batch, 3, 40, 40, generator=torch.Generator().manual_seed(batch))
    with torch.no_grad():
        expected = model.encode(pixels).numpy()
    found = run(exported / 'vision.onnx', pixels)
    assert found.shape == (batch, 4, 64)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_int8_stays_close(exported: Path) -> None:
    pixels = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(9))
    exact, rough = (run(exported / name, pixels) for name in ('vision.onnx', 'int8.onnx'))
    cosine = (exact * rough).sum(-1) / np.linalg.norm(exact, axis=-1)
    assert (cosine / np.linalg.norm(rough, axis=-1)).min() > 0.99


@pytest.mark.parametrize('name', ['vision.onnx', 'int8.onnx', 'fp16.onnx'])
def test_no_path_of_the_machine_that_exported_is_left(exported: Path, name: str) -> None:
    data = (exported / name).read_bytes()
    assert b'site-packages' not in data and b'.py' not in data


def test_float16_stays_inside(exported: Path) -> None:
    graph = onnx.load(exported / 'fp16.onnx').graph
    ends = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert ends == [onnx.TensorProto.FLOAT] * 2
    matrices = [t for t in graph.initializer if len(t.dims) > 1]
    assert {t.data_type for t in matrices} == {onnx.TensorProto.FLOAT16}
    pixels = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(9))
    exact, half = (run(exported / name, pixels) for name in ('vision.onnx', 'fp16.onnx'))
    cosine = (exact * half).sum(-1) / np.linalg.norm(exact, axis=-1)
    assert half.dtype == np.float32
    assert (cosine / np.linalg.norm(half, axis=-1)).min() > 0.9999


def test_a_tower_too_large_for_one_file_is_refused(tmp_path: Path) -> None:
    with torch.device('meta'):
        huge = Vision(Geometry(vision_width=2048, vision_heads=16, vision_layers=11))
    with pytest.raises(CheckpointError, match=r'takes 2\.2 GB .* choose --precision fp16'):
        export_vision(huge, tmp_path / 'vision.onnx')


def test_a_weight_that_float16_cannot_hold_is_named(model: MobileVlm, tmp_path: Path) -> None:
    broken = deepcopy(model)
    broken.projector.model.mlp[1].bias.data[0] = 1e6
    with pytest.raises(CheckpointError, match=r'mm_projector\.model\.mlp\.1\.bias has values'):
        export_vision(broken, tmp_path / 'vision.onnx', torch.float16)


def test_attention_scales_only_the_query(exported: Path) -> None:
    graph = onnx.load(exported / 'vision.onnx')
    assert graph.opset_import[0].version == OPSET
    operators = {node.op_type for node in graph.graph.node}
    assert 'LayerNormalization' in operators and 'Attention' not in operators
    softmaxes = [n for n in graph.graph.node if n.op_type == 'Softmax']
    makers = {output: node for node in graph.graph.node for output in node.output}
    assert len(softmaxes) == 2
    assert all(makers[n.input[0]].op_type == 'MatMul' for n in softmaxes)
