"""When memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
LARGE = 12 * 2**20  # bytes; more than a frame of 1920x1080 takes in RGB or in Pillow's RGBX


def return_large_blocks() -> None:
    """Have blocks of more than `LARGE` bytes given back as soon as they are freed.

    By default the first large block that is freed lets glibc keep all later ones of up to 32 MB in
    the heaps of threads, which hardly shrink. Smaller blocks are kept and used again, as ever.
    """
    with suppress(AttributeError, OSError):  # other C libraries do without
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
