"""Memory, temperature and power of the machine, where Linux tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYS, PROC = Path('/sys'), Path('/proc')


@dataclass(frozen=True, slots=True)
class Host:
    """What was read; empty where the machine does not tell."""

    resident_mb: float  # of this process
    available_mb: float  # of the machine
    celsius: dict[str, float]  # by thermal zone
    watts: dict[str, float]  # by rail of a Jetson's power monitor


def read_host(sys: Path = SYS, proc: Path = PROC) -> Host:
    """Read everything; a file that is missing or odd is left out."""
    return Host(
        _kilobytes(proc / 'self' / 'status', 'VmRSS') / 1024,
        _kilobytes(proc / 'meminfo', 'MemAvailable') / 1024,
        dict(_temperatures(sys / 'class' / 'thermal')),
        dict(_rails(sys / 'class' / 'hwmon')),
    )


def _temperatures(folder: Path) -> Iterator[tuple[str, float]]:
    for zone in sorted(folder.glob('thermal_zone*')):
        name, value = _text(zone / 'type'), _number(zone / 'temp')
        if name and value is not None and value > -100_000:  # unused zones read -256 degrees
            yield name, value / 1000


def _rails(folder: Path) -> Iterator[tuple[str, float]]:
    """INA3221: `inN_label` names a rail, `inN_input` is mV, `currN_input` is mA."""
    for label in sorted(folder.glob('hwmon*/in*_label')):
        number = label.name.removeprefix('in').removesuffix('_label')
        millivolts = _number(label.with_name(f'in{number}_input'))
        milliamperes = _number(label.with_name(f'curr{number}_input'))
        if millivolts is not None and milliamperes is not None:
            yield _text(label), millivolts * milliamperes * 1e-6


def _kilobytes(path: Path, name: str) -> float:
    for line in _text(path).splitlines():
        if line.startswith(f'{name}:'):
            return float(line.split()[1])
    return 0.0


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8', errors='replace').strip()
    except OSError:  # sensors that are asleep refuse to be read
        return ''
