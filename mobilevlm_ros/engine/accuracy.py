"""How far the visual tokens of one encoder are from those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.engine.types import Floats


@dataclass(frozen=True, slots=True)
class Agreement:
    """The worst of all tokens of all images."""

    cosine: float  # nan if anything is not finite
    image: int
    token: int
    max_error: float  # largest difference of any value, in the tokens' own unit


def compare_tokens(found: Floats, expected: Floats) -> Agreement:
    """Compare visual tokens, float32 (images, tokens, width) each, in double precision."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
        lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        cosines = (a * b).sum(-1) / lengths
        error = float(np.abs(a - b).max())
    worst = int(np.argmin(cosines))  # numpy takes a nan for the least
    image, token = divmod(worst, cosines.shape[1])
    return Agreement(float(cosines.flat[worst]), image, token, error)
