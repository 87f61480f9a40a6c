from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mobilevlm_ros.convert.vision_onnx import OPSET, export_vision, quantise_vision
from mobilevlm_ros.model.mobilevlm import MobileVlm


@pytest.fixture(scope='module')
def exported(model: MobileVlm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp('onnx')
    export_vision(model, folder / 'vision.onnx')
    quantise_vision(folder / 'vision.onnx', folder / 'int8.onnx')
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


def test_attention_scales_only_the_query(exported: Path) -> None:
    graph = onnx.load(exported / 'vision.onnx')
    assert graph.opset_import[0].version == OPSET
    operators = {node.op_type for node in graph.graph.node}
    assert 'LayerNormalization' in operators and 'Attention' not in operators
    softmaxes = [n for n in graph.graph.node if n.op_type == 'Softmax']
    makers = {output: node for node in graph.graph.node for output in node.output}
    assert len(softmaxes) == 2
    assert all(makers[n.input[0]].op_type == 'MatMul' for n in softmaxes)
