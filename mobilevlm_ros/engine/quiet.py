"""Pillow without its messages on stderr: what matters in them is an error of ours."""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from PIL import _imaging

logging.getLogger('PIL').addHandler(logging.NullHandler())  # else Python writes errors to stderr
_WARNINGS = threading.Lock()  # filters of warnings belong to the process, not to a thread


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Let nothing that Pillow or its C libraries find odd in a file reach the user."""
    _hush_libtiff()
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def _hush_libtiff() -> None:
    with suppress(AttributeError, OSError):  # Pillow without it, or with it linked in
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
