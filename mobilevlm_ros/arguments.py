"""What the commands' arguments may be; what is wrong with one is said before any work begins."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from mobilevlm_ros.engine import ConfigError
from mobilevlm_ros.engine.paths import user_path

MOST = 1 << 30  # of whole numbers that nothing else limits


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=Help, **settings)

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f'{self.prog}: {" ".join(message.split())}; see {self.prog} --help\n')


def whole(low: int, high: int = MOST) -> Callable[[str], int]:
    """Type of an argument that is a whole number in this range."""
    return _number(int, 'a whole number', low, high)


def real(low: float, high: float) -> Callable[[str], float]:
    """Type of an argument that is a number in this range."""
    return _number(float, 'a number', low, high)


def _number(
    kind: Callable[[str], Any], name: str, low: float, high: float
) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text!r} is not {name} from {low} to {high}')
        return value

    return parse


def words(text: str) -> str:
    """Type of an argument that is text for people: UTF-8, whatever the terminal is set to."""
    try:
        return os.fsencode(text).decode()
    except UnicodeError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not text in UTF-8') from error


def any_path(text: str) -> Path:
    """Type of an argument that is a path, `~` expanded."""
    if not text:
        raise argparse.ArgumentTypeError('the path is empty')
    try:
        return user_path(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def file(text: str) -> Path:
    """Type of an argument that is a file to read."""
    path = any_path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f'{path} does not exist')
    return _not_a_folder(path)


def folder(text: str) -> Path:
    """Type of an argument that is a folder to read."""
    path = any_path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f'{path} is not a folder')
    return path


def new_file(text: str) -> Path:
    """Type of an argument that is a file to write."""
    path = _not_a_folder(any_path(text))
    if not path.exists():
        _writable_folder(path.parent)
    elif not os.access(path, os.W_OK):
        raise argparse.ArgumentTypeError(f'{path} cannot be written')
    return path


def new_folder(text: str) -> Path:
    """Type of an argument that is a folder to write to, made if it is not there."""
    path = any_path(text)
    there = next(part for part in (path, *path.absolute().parents) if part.exists())
    _writable_folder(there)
    return path


def absent_folder(text: str) -> Path:
    """Type of an argument that is a folder to make, which must not be there yet."""
    path = new_folder(text)
    if os.path.lexists(path):
        raise argparse.ArgumentTypeError(f'{path} exists already; give a folder that does not')
    return path


def _not_a_folder(path: Path) -> Path:
    if path.is_dir():
        raise argparse.ArgumentTypeError(f'{path} is a folder; give a file')
    return path


def _writable_folder(path: Path) -> None:
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f'{path} is not a folder that can be written to')
