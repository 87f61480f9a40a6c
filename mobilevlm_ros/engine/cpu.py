"""What this process may use of the machine."""

from __future__ import annotations

import os


def thread_count(wanted: int) -> int:
    """The number itself, or one thread per core that this process may run on if it is zero."""
    if wanted > 0:
        return wanted
    if hasattr(os, 'sched_getaffinity'):  # containers and taskset leave us fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
