"""OUT.partial: a bundle in the making, that a killed conversion goes on with.

Files are made under another name and renamed when whole; state.json records them, and of what
they are made, so that nothing is mixed from two sources.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobilevlm_ros.engine.errors import BundleError

STATE = 'state.json'
UNFINISHED = '.unfinished'

Job = dict[str, Any]


class Workspace:
    """One conversion's folder; it belongs to one process until that ends."""

    def __init__(self, out: Path, job: Job) -> None:
        """Start, or go on with, the job whose description is given; it must be plain JSON.

        Raises:
            BundleError: if `out` exists, another process works on it, or what was begun there
                is another job.
        """
        if out.exists():
            raise BundleError(f'{out} exists already; remove it or choose another folder')
        self.out = out
        self.folder = out.with_name(out.name + '.partial')
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock()
        self._job = json.loads(json.dumps(job))
        self._files: dict[str, int] = {}
        try:
            self._resume()
        except BaseException:
            os.close(self._handle)
            raise

    def has(self, name: str) -> bool:
        """Whether the file is there, whole."""
        path = self.folder / name
        return name in self._files and path.is_file() and path.stat().st_size == self._files[name]

    def make(self, name: str, write: Callable[[Path], object]) -> Path:
        """The file of that name, written by `write` to the path that it is given, if need be."""
        path = self.folder / name
        if not self.has(name):
            unfinished = self.folder / (name + UNFINISHED)
            write(unfinished)
            _to_disk(unfinished)
            unfinished.rename(path)
            self._record({**self._files, name: path.stat().st_size})
        return path

    def drop(self, name: str) -> None:
        """Remove a file that was only needed on the way."""
        (self.folder / name).unlink(missing_ok=True)
        self._record({k: v for k, v in self._files.items() if k != name})

    def size(self) -> int:
        """Bytes of all that is there."""
        return sum(self._files.values())

    def finish(self) -> None:
        """Give the folder its final name."""
        self.folder.rename(self.out)
        (self.out / STATE).unlink()
        os.close(self._handle)

    def close(self) -> None:
        """Let go of the folder and take away what is not whole: all of it, if nothing is."""
        self._sweep()
        if not self._files:
            shutil.rmtree(self.folder)
        os.close(self._handle)

    def _lock(self) -> None:
        self._handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            raise BundleError(f'another process is working in {self.folder}') from error

    def _resume(self) -> None:
        path = self.folder / STATE
        if not path.is_file():
            if any(self.folder.iterdir()):
                raise BundleError(f'{self.folder} is not empty and no conversion; remove it')
            self._record({})
            return
        state = self._read_state(path)
        if state['files'] and (changed := _differences(state['job'], self._job)):
            raise BundleError(
                f'{self.folder} was begun with another {changed}; give the same again, or remove '
                'the folder to start again'
            )
        self._files = state['files']
        self._sweep()

    def _read_state(self, path: Path) -> dict[str, Any]:
        try:
            state = json.loads(path.read_text(encoding='utf-8'))
            return {'job': dict(state['job']), 'files': dict(state['files'])}
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f'{path} is damaged; remove {self.folder} to start again') from error

    def _sweep(self) -> None:
        """Remove all that is not whole; killed libraries leave files of their own."""
        for path in self.folder.iterdir():
            if path.name == STATE or path.name in self._files:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _record(self, files: dict[str, int]) -> None:
        self._files = files
        new = self.folder / (STATE + UNFINISHED)
        new.write_text(json.dumps({'job': self._job, 'files': files}, indent=1), encoding='utf-8')
        new.replace(self.folder / STATE)


def check_room(needed: int, free: int, place: Path) -> None:
    """Raise BundleError beforehand if the disk is too full, rather than after an hour."""
    if needed > free:
        raise BundleError(
            f'{place} has {free / 1e9:.1f} GB free where about {needed / 1e9:.1f} GB are needed, '
            'what is removed again on the way included'
        )


def not_written(place: Path, error: Exception) -> BundleError:
    """The error to raise about a file that could not be written, on a full disk for one."""
    file = getattr(error, 'filename', None) or place
    reason = getattr(error, 'strerror', None) or error
    return BundleError(
        f'{file} could not be written: {reason}; correct that and run the same again, to go on '
        'from there'
    )


def _differences(before: Job, now: Job) -> str:
    return ' and '.join(key for key in now | before if before.get(key) != now.get(key))


def _to_disk(path: Path) -> None:
    """Wait until the file would outlive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
