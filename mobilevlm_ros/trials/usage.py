"""What processes take of the machine; sizes are in MB of 2**20 bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC, SHARED = Path('/proc'), Path('/dev/shm')
MB = 2**20


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at a process."""

    at_s: float  # when, on the clock of whoever looks
    rss_mb: float  # all that is mapped and present, whoever else has it
    pss_mb: float  # shared pages divided by those who share them
    own_mb: float  # private pages alone: what would be free without the process
    threads: int
    files: int  # open descriptors
    cpu_s: float  # used since the process started
    peak_mb: float  # the most that rss_mb ever was


def read_usage(pid: int, at_s: float = 0.0) -> Usage:
    """Look at a process; it must be alive."""
    process = psutil.Process(pid)
    memory = process.memory_full_info()
    return Usage(
        at_s,
        memory.rss / MB,
        memory.pss / MB,
        memory.uss / MB,
        process.num_threads(),
        process.num_fds(),
        cpu_seconds(pid),
        _peak_mb(pid),
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads together."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def busy_seconds() -> float:
    """What all cores of the machine have worked since it was started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


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


def _peak_mb(pid: int) -> float:
    """From /proc: psutil does not tell it on Linux."""
    status = (PROC / str(pid) / 'status').read_text(encoding='utf-8')
    found = re.search(r'^VmHWM:\s+(\d+) kB', status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
