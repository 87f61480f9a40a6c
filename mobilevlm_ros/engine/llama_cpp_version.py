"""Which llama-cpp-python serves."""

from __future__ import annotations

import re

from mobilevlm_ros.engine.errors import BackendError

OLDEST = '0.3.17'  # older ones lack functions of llama.cpp that are used here


def check_version(found: str) -> None:
    """Raise BackendError if a release of llama-cpp-python is too old."""
    if _numbers(found) < _numbers(OLDEST):
        raise BackendError(
            f'llama-cpp-python {found} is too old; {OLDEST} or newer is needed: run '
            f"`pip install --upgrade 'llama-cpp-python>={OLDEST}'`"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r'\d+', version)[:3]))
