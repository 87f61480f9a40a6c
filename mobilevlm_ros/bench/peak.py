"""How much memory a process takes, as Linux counts it."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path('/proc')


def peak_mb(pid: int, proc: Path = PROC) -> float:
    """The most that a process had in memory so far, files that it maps included, in MB."""
    return _kilobytes(proc / str(pid) / 'status', 'VmHWM') * 1024 / 1e6


def taken_mb(pid: int, file: str, dropped_bytes: int, proc: Path = PROC) -> float:
    """What a process has in memory now and cannot give back, in MB.

    Args:
        pid: of the process.
        file: name of a file that it maps.
        dropped_bytes: of that file, what was only read to be rearranged: the kernel may take
            those pages back, and does so first.
        proc: where Linux tells of processes.
    """
    folder = proc / str(pid)
    mapped = _mapped(folder / 'smaps', file)
    total = _kilobytes(folder / 'status', 'VmRSS') * 1024
    size = mapped[0]
    spare = max(0, mapped[1] - max(0, size - dropped_bytes))
    return (total - spare) / 1e6


def _kilobytes(path: Path, name: str) -> int:
    found = re.search(rf'^{name}:\s+(\d+) kB', path.read_text(encoding='utf-8'), re.MULTILINE)
    return int(found[1]) if found else 0


def _mapped(smaps: Path, file: str) -> tuple[int, int]:
    """Bytes mapped of a file, and those of them in memory."""
    size = resident = 0
    inside = False
    for line in smaps.read_text(encoding='utf-8').splitlines():
        if re.match(r'^[0-9a-f]+-[0-9a-f]+ ', line):
            inside = line.endswith('/' + file)
        elif inside and line.startswith('Size:'):
            size += int(line.split()[1]) << 10
        elif inside and line.startswith('Rss:'):
            resident += int(line.split()[1]) << 10
    return size, resident
