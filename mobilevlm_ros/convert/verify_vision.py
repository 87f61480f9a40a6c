"""Proof of the vision part: visual tokens of every ONNX file against PyTorch in float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from mobilevlm_ros.convert.source import Source, load_vision
from mobilevlm_ros.convert.verify_pixels import Photo
from mobilevlm_ros.convert.verify_report import Measure, Row
from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder
from mobilevlm_ros.engine.types import Floats

# Least cosine of a token, most error relative to the largest value; what is not there is reported.
LEAST_COSINE = {'fp16': 0.999, 'int8': 0.99}
MOST_ERROR = {'fp32': 1e-4}


def reference_tokens(source: Source, photos: Sequence[Photo]) -> list[Floats]:
    """Visual tokens float32 (tokens, width) of each photo; the model is gone afterwards."""
    model = load_vision(source)
    bar = tqdm(photos, 'vision, PyTorch', unit='image')
    with torch.no_grad():
        return [model.encode(torch.from_numpy(p.official)[None])[0].numpy() for p in bar]


def verify_vision(
    bundle: Bundle, photos: Sequence[Photo], expected: Sequence[Floats]
) -> list[Row]:
    """One row for each precision that the bundle serves; all are given the official pixels."""
    precisions = sorted(bundle.backends['onnxruntime'])
    return [_verify(bundle, precision, photos, expected) for precision in precisions]


def _verify(
    bundle: Bundle, precision: str, photos: Sequence[Photo], expected: Sequence[Floats]
) -> Row:
    path = bundle.backend_file('onnxruntime', precision)
    encoder = OnnxEncoder(path, bundle.vision, precision)
    bar = tqdm(photos, f'vision, {precision}', unit='image')
    found = [encoder.encode(photo.official[None])[0] for photo in bar]
    encoder.close()
    cosines = [token_cosines(f, e).min() for f, e in zip(found, expected, strict=True)]
    errors = [relative_error(f, e) for f, e in zip(found, expected, strict=True)]
    return Row(
        f'vision {precision}',
        'ONNX Runtime, PyTorch float32',
        f'{len(photos)} images, {sum(map(len, expected))} tokens',
        (
            Measure('cosine', float(min(cosines)), least=LEAST_COSINE.get(precision, -np.inf)),
            Measure('relative error', max(errors), most=MOST_ERROR.get(precision, np.inf)),
        ),
        f'worst cosine at {photos[int(np.argmin(cosines))].name}',
    )


def token_cosines(found: Floats, expected: Floats) -> Floats:
    """Cosine of each token with its counterpart: (tokens, width) twice to (tokens,)."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    cosines: Floats = (found * expected).sum(-1) / norms
    return cosines


def relative_error(found: Floats, expected: Floats) -> float:
    """Largest difference over the largest value of the reference."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
