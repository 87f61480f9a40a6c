"""int8 on towers into which outliers were put by hand."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from mobilevlm_ros.convert.quantise_vision import IMAGES, quantise_vision, synthetic_pixels
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.convert.vision_onnx import export_vision
from mobilevlm_ros.model.mobilevlm import Geometry
from tests.convert.injections import INJECTIONS, seeded_tower

GEOMETRY = Geometry(
    image_size=112, patch_size=14, vision_width=192, vision_layers=4, vision_heads=3, width=256
)


@pytest.mark.slow
@pytest.mark.parametrize('inject', INJECTIONS, ids=lambda inject: inject.__name__)
def test_injected_outliers_do_not_drown_the_rest(inject, tmp_path: Path) -> None:
    whole, path = tmp_path / 'fp32.onnx', tmp_path / 'int8.onnx'
    export_vision(seeded_tower(GEOMETRY, inject), whole)
    quantise_vision(whole, path)
    assert token_cosines(tokens(path), tokens(whole)).min() >= 0.99


def tokens(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    images = [*synthetic_pixels(GEOMETRY.image_size, IMAGES + 2)][IMAGES:]
    return np.stack([session.run(None, {'pixels': image[None]})[0][0] for image in images])
