"""What this process may use of the machine."""

from __future__ import annotations

import os

WITHOUT_AMX = 'CFLAGS=-mno-amx-int8 CXXFLAGS=-mno-amx-int8'  # before `pip install`


def thread_count(wanted: int) -> int:
    """The number itself, or one thread per core that this process may run on if it is zero."""
    if wanted > 0:
        return wanted
    if hasattr(os, 'sched_getaffinity'):  # containers and taskset leave us fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_amx(system_info: str) -> bool:
    """Whether llama.cpp, by its own account, was built for AMX and runs where there is some.

    Its AMX kernels end the process when GCC has dropped the tile configuration that they load
    (https://github.com/ggml-org/llama.cpp/issues/20824).
    """
    return 'AMX_INT8 = 1' in system_info
