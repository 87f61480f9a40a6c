"""Figures as JSON, for scripts."""

from __future__ import annotations

import json
from pathlib import Path


def write_figures(path: Path, figures: object) -> None:
    """Write them, whole or not at all.

    Raises:
        OSError: naming the file if it could not be written, on a full disk for one.
    """
    try:
        path.write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')
    except OSError as error:
        if path.is_file():  # and no device or pipe
            path.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
