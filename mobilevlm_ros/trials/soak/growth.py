"""What a process takes, as Linux counts it, and whether that grows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROC, SHARED = Path('/proc'), Path('/dev/shm')
LOWS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process."""

    at_s: float  # since the start of the run
    rss_mb: float  # all that is mapped and present, whoever else has it
    pss_mb: float  # shared pages divided by those who share them
    own_mb: float  # private pages alone: what would be free without the process
    threads: int
    files: int  # open descriptors
    cpu_s: float  # used since the process started


@dataclass(frozen=True, slots=True)
class Slope:
    """Of a straight line through samples of memory."""

    mb_per_h: float
    error: float  # one standard deviation, MB per hour

    def above(self, bound: float) -> bool:
        """Whether it is steeper than the bound beyond doubt: by two standard deviations."""
        return self.mb_per_h - 2 * self.error > bound

    def settles(self, bound: float) -> bool:
        """Whether the run was long enough to tell the bound from nothing."""
        return 2 * self.error < bound


def read_sample(pid: int, at_s: float, proc: Path = PROC) -> Sample:
    """Look at a process."""
    folder = proc / str(pid)
    sizes = _fields(folder / 'smaps_rollup')
    return Sample(
        at_s,
        sizes['Rss'] / 1024,
        sizes['Pss'] / 1024,
        (sizes['Private_Clean'] + sizes['Private_Dirty']) / 1024,
        _fields(folder / 'status')['Threads'],
        len(list((folder / 'fd').iterdir())),
        cpu_seconds(pid, proc),
    )


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """User and system time of a process, all its threads together."""
    text = (proc / str(pid) / 'stat').read_text(encoding='utf-8')
    fields = text.rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def busy_seconds(proc: Path = PROC) -> float:
    """What all cores of the machine have worked since it was started."""
    line = (proc / 'stat').read_text(encoding='utf-8').partition('\n')[0]
    user, nice, system, _, _, interrupts, soft, *_ = map(int, line.split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf('SC_CLK_TCK')


def slope(samples: Sequence[Sample]) -> Slope:
    """Least squares through the private memory of the second half of a run.

    Of each of LOWS parts the least counts: frames of megabytes come and go. What is left over is
    not independent from one to the next; the error allows for how much they resemble each other.
    """
    half = _lows([one for one in samples if one.at_s >= samples[-1].at_s / 2])
    if len(half) < 4:
        return Slope(math.nan, math.inf)
    hours = np.array([one.at_s for one in half]) / 3600
    line, covariance = np.polyfit(hours, [one.own_mb for one in half], 1, cov='unscaled')
    left = np.array([one.own_mb for one in half]) - np.polyval(line, hours)
    variance = float(left @ left) / (len(half) - 2)
    alike = float(left[1:] @ left[:-1] / (left @ left)) if left.any() else 0.0
    alike = min(max(alike, 0.0), 0.95)
    error = math.sqrt(variance * covariance[0, 0] * (1 + alike) / (1 - alike))
    return Slope(float(line[0]), error)


def _lows(samples: Sequence[Sample]) -> list[Sample]:
    size = max(1, len(samples) // LOWS)
    parts = [samples[i : i + size] for i in range(0, len(samples) - size + 1, size)]
    return [min(part, key=lambda one: one.own_mb) for part in parts]


def growth(values: Sequence[int]) -> int:
    """The least of the last quarter above the least of the second.

    The least, because some are open only for the moment in which they were counted.
    """
    quarter = len(values) // 4
    if not quarter:
        return 0
    return min(values[-quarter:]) - min(values[quarter : 2 * quarter])


def shared_files(pids: Iterable[int], proc: Path = PROC) -> set[Path]:
    """Files in /dev/shm that any of these processes has mapped."""
    found = set()
    for pid in pids:
        for line in (proc / str(pid) / 'maps').read_text(encoding='utf-8').splitlines():
            _, mark, rest = line.partition(f'{SHARED}/')
            if mark:
                found.add(SHARED / rest.removesuffix(' (deleted)'))
    return found


def left_of(files: Iterable[Path], proc: Path = PROC) -> list[str]:
    """Names of those that are still there and that nobody uses: Fast DDS leaves them for good."""
    found = {path for path in files if path.exists() and 'fast' in path.name}
    for pid in (int(folder.name) for folder in proc.glob('[0-9]*')) if found else ():
        try:
            found -= shared_files([pid], proc)
        except OSError:  # ended meanwhile, or of somebody else
            continue
    return sorted(path.name for path in found)


def _fields(path: Path) -> dict[str, int]:
    """Lines such as `Rss:    123 kB`; others are left out."""
    found = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        name, _, rest = line.partition(':')
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found
