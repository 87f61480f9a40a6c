"""The contact sheet: frames with the question asked about each, the answer and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mobilevlm_ros.demo.quiz import Result

COLUMNS = 5
TEXT_HEIGHT = 62  # pixels below each frame
MARGIN = 5
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
INK, GREY = (20, 20, 20), (120, 120, 120)  # RGB
VERDICT_INK = {'yes': (30, 130, 30), 'NO': (200, 30, 30), '-': GREY}


def contact_sheet(frames: Sequence[tuple[np.ndarray, Result]], path: Path) -> None:
    """Save frames, RGB uint8 [h, w, 3] of one size, with their results as one PNG.

    Raises:
        OSError: if the file cannot be written.
    """
    cells = [_cell(pixels, result) for pixels, result in frames]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    if not cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise OSError(f'{path} cannot be written')


def _cell(pixels: np.ndarray, result: Result) -> np.ndarray:
    height = pixels.shape[0]
    cell = np.pad(pixels, ((0, TEXT_HEIGHT), (0, 0), (0, 0)), constant_values=255)
    lines = [(result.question, INK), (result.answer, VERDICT_INK[result.verdict])]
    if result.verdict == 'NO':
        lines.append((f'truth: {result.truth}', GREY))
    for i, (text, ink) in enumerate(lines):
        _write(cell, text, height + 16 + 19 * i, ink)
    return np.pad(cell, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)


def _write(cell: np.ndarray, text: str, y: int, ink: tuple[int, int, int]) -> None:
    """One line, made smaller if it would not fit."""
    width = cv2.getTextSize(text, FONT, FONT_SCALE, 1)[0][0]
    scale = FONT_SCALE * min(1.0, (cell.shape[1] - 8) / max(width, 1))
    cv2.putText(cell, text, (4, y), FONT, scale, ink, 1, cv2.LINE_AA)
