"""Memory, temperature and power of the machine, where Linux tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

SYS = Path('/sys')
MB = 2**20


@dataclass(frozen=True, slots=True)
class Host:
    """What was read; sensors are empty where the machine has none."""

    resident_mb: float  # of this process
    available_mb: float  # of the machine
    celsius: dict[str, float]  # by thermal zone
    watts: dict[str, float]  # by rail of a Jetson's power monitor


def read_host(sys: Path = SYS) -> Host:
    """Read everything; a sensor that is missing or odd is left out."""
    return Host(
        psutil.Process().memory_info().rss / MB,
        psutil.virtual_memory().available / MB,
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
