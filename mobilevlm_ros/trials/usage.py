"""What another process takes of the machine, as Linux tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROC = Path('/proc')


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process."""

    resident_mb: float
    peak_mb: float  # the most that was resident since its start
    threads: int
    files: int  # that are open


def read_usage(pid: int, proc: Path = PROC) -> Usage:
    """Read it now; the process must be alive."""
    lines = (proc / str(pid) / 'status').read_text(encoding='utf-8').splitlines()
    values = dict(line.split(':', 1) for line in lines)
    return Usage(
        int(values['VmRSS'].split()[0]) / 1024,
        int(values['VmHWM'].split()[0]) / 1024,
        int(values['Threads']),
        sum(1 for _ in (proc / str(pid) / 'fd').iterdir()),
    )
