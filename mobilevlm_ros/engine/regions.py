"""Parts of images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobilevlm_ros.engine.errors import QuestionError
from mobilevlm_ros.engine.types import WHOLE, Frame, Roi


def crop(frame: Frame, roi: Roi) -> Frame:
    """The part of a frame, which keeps its stamp and camera.

    Raises:
        QuestionError: if it does not lie in the image.
    """
    if roi == WHOLE:
        return frame
    x, y, width, height = roi
    rows, columns = frame.pixels.shape[:2]
    if x + width > columns or y + height > rows:
        raise QuestionError(
            f'roi: the region of {width} x {height} pixels at ({x}, {y}) does not lie in the '
            f'image, which has {columns} x {rows}'
        )
    part = np.ascontiguousarray(frame.pixels[y : y + height, x : x + width])
    return replace(frame, pixels=part)
