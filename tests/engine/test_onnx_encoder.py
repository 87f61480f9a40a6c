from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import BackendError, BundleError, load_bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder


@pytest.mark.parametrize('batch', [1, 3])
def test_each_patch_becomes_a_visual_token(tiny_bundle: Path, batch: int) -> None:
    encoder = create_encoder(load_bundle(tiny_bundle), EngineConfig(precision='fp32'))
    pixels = np.random.default_rng(0).normal(size=(batch, 3, 32, 32)).astype(np.float32)
    tokens = encoder.encode(pixels)
    assert tokens.shape == (batch, 16, 64) and tokens.dtype == np.float32
    np.testing.assert_allclose(encoder.encode(pixels[-1:])[0], tokens[-1], atol=1e-5)
    assert encoder.name == 'onnxruntime fp32'


def test_a_batch_of_the_wrong_shape_is_our_error(tiny_bundle: Path) -> None:
    encoder = create_encoder(load_bundle(tiny_bundle), EngineConfig())
    with pytest.raises(BackendError, match='could not encode the image'):
        encoder.encode(np.zeros((1, 3, 31, 32), np.float32))


def test_a_file_of_another_model_is_refused_when_loaded(tiny_bundle: Path) -> None:
    vision = load_bundle(tiny_bundle).vision
    with pytest.raises(BundleError, match=r'visual_tokens of shape \(batch, 16, 128\)'):
        OnnxEncoder(tiny_bundle / 'vision.onnx', replace(vision, width=128), 'fp32')


def test_a_file_that_is_no_onnx_is_our_error(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / 'vision.onnx'
    path.write_bytes(b'not a model')
    with pytest.raises(BackendError, match='could not load'):
        OnnxEncoder(path, load_bundle(tiny_bundle).vision, 'fp32')
