"""Paths as people write them."""

from __future__ import annotations

import os
from pathlib import Path

from mobilevlm_ros.engine.errors import ConfigError


def user_path(path: Path | str) -> Path:
    """The path with `~` expanded, which no shell does in a parameter or behind `:=`.

    Raises:
        ConfigError: if no home folder is known, or libraries in C could not open such a path.
    """
    text = os.fspath(path)
    if '\0' in text:
        raise ConfigError(f'the path {text!r} has a zero byte in it')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f'the path {text!r} is not text in UTF-8; rename it, or set LC_ALL=C.UTF-8 if it is '
            'right on other terminals'
        ) from error
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f'{text}: no such home folder is known; set HOME, or write the whole path'
        ) from error
