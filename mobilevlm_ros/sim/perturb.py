"""What happens to frames on the way from a real camera: gain, blur, JPEG and a small roll."""

from __future__ import annotations

import cv2
import numpy as np


def perturb(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A disturbed copy of an RGB uint8 image; every fault in a strength of its own."""
    h, w = image.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), float(rng.uniform(-4, 4)), 1.0)
    image = cv2.warpAffine(image, turn, (w, h), borderMode=cv2.BORDER_REFLECT)
    image = cv2.convertScaleAbs(image, alpha=float(rng.uniform(0.6, 1.4)))
    image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.2, 1.6)))
    quality = int(rng.integers(25, 61))
    _, encoded = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
