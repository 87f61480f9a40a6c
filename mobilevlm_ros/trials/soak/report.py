"""What a soak found: a table for people, JSON for programs, and what is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mobilevlm_ros.trials.soak.growth import growth, slope
from mobilevlm_ros.trials.soak.run import Phase
from mobilevlm_ros.trials.usage import Usage


@dataclass(frozen=True, slots=True)
class Soak:
    """All that was found."""

    transport: str
    phase: Phase
    samples: Sequence[Usage]  # of vlm_node
    cpu: dict[str, float]  # share of one core, by who took it
    uneven: tuple[int, int]  # answers published too few and too many
    most_growth: float  # MB per hour that private memory may grow by
    left: Sequence[str] = ()  # files in /dev/shm that outlived the run

    def ended(self, left: Sequence[str]) -> Soak:
        """With what was left behind."""
        return replace(self, left=left)


def violations(soak: Soak) -> list[str]:
    """Everything for which the exit code is 1."""
    found = list(soak.phase.wrong)
    few, many = soak.uneven
    if few or many:
        found.append(f'{few} answers were not published on ~/answer, {many} more than once')
    steep = slope(soak.samples)
    if steep.settles(soak.most_growth) and steep.above(soak.most_growth):
        found.append(f'memory grows by {steep.mb_per_h:.1f} MB/h, not {soak.most_growth:g}')
    for what, more in _grown(soak).items():
        if more > 0:
            found.append(f'{more} more {what} at last than after a quarter of the run')
    if soak.left:
        found.append(f'left in /dev/shm: {", ".join(soak.left)}')
    return found


def table(soak: Soak) -> str:
    """Row by row, then what is wrong."""
    wrong = violations(soak)
    rows = _rows(soak)
    width = max(map(len, rows))
    lines = [f'{name:{width}}  {text}' for name, text in rows.items()]
    return '\n'.join([*lines, *(f'WRONG: {one}' for one in wrong)] + ['ok'] * (not wrong))


def to_json(soak: Soak) -> dict[str, Any]:
    """Everything."""
    steep = slope(soak.samples)
    return {
        'violations': violations(soak),
        'transport': soak.transport,
        'rate_hz': soak.phase.rate_hz,
        'seconds': soak.phase.seconds,
        'asked': len(soak.phase.asked),
        'faults': soak.phase.faults,
        'lags': soak.phase.lags,
        'milliseconds': dict(zip(('50', '95', '100'), _times(soak.phase), strict=True)),
        'frames': soak.phase.frames,
        'kept': soak.phase.kept,
        'cpu': soak.cpu,
        'mb_per_h': _finite(steep.mb_per_h),
        'mb_per_h_error': _finite(steep.error),
        'grown': _grown(soak),
        'answers_missing': soak.uneven[0],
        'answers_double': soak.uneven[1],
        'left': list(soak.left),
        'samples': [asdict(sample) for sample in soak.samples],
    }


def _rows(soak: Soak) -> dict[str, str]:
    phase, first, last = soak.phase, soak.samples[0], soak.samples[-1]
    grown = _grown(soak)
    right = len(phase.asked) - sum(phase.faults.values())
    frames = round(phase.rate_hz * phase.seconds)
    return {
        'run': f'{soak.transport}, {len(phase.frames)} cameras at {phase.rate_hz:g} Hz, '
        f'{phase.seconds:.0f} s',
        'questions': f'{len(phase.asked)}, {right} answered rightly',
        'frames behind': ', '.join(f'{lag}: {count}' for lag, count in phase.lags.items()),
        'ms to the answer': 'median {:.0f}, 95% {:.0f}, most {:.0f}'.format(*_times(phase)),
        'frames of a camera': f'{min(phase.frames.values())} or more of {frames}',
        'CPU, % of a core': ', '.join(
            f'{who} {100 * share:.0f}' for who, share in soak.cpu.items()
        ),
        'resident, MB': f'{first.rss_mb:.1f} at first, {last.rss_mb:.1f} at last',
        'proportional, MB': f'{first.pss_mb:.1f} at first, {last.pss_mb:.1f} at last',
        'private, MB': f'{first.own_mb:.1f} at first, {last.own_mb:.1f} at last',
        'private, MB per hour': _slope_text(soak),
        'threads': f'{last.threads}, {grown["threads"]:+d}',
        'open files': f'{last.files}, {grown["open files"]:+d}',
    }


def _slope_text(soak: Soak) -> str:
    steep = slope(soak.samples)
    if not math.isfinite(steep.error):
        return 'too short a run to tell'
    text = f'{steep.mb_per_h:+.1f} ± {steep.error:.1f} over the second half'
    if steep.settles(soak.most_growth):
        return text
    return f'{text}: too short a run to judge by {soak.most_growth:g}'


def _finite(value: float) -> float | None:
    """JSON has no other numbers."""
    return value if math.isfinite(value) else None


def _grown(soak: Soak) -> dict[str, int]:
    return {
        'threads': growth([sample.threads for sample in soak.samples]),
        'open files': growth([sample.files for sample in soak.samples]),
    }


def _times(phase: Phase) -> list[float]:
    times = [one.milliseconds for one in phase.asked] or [float('nan')]
    return [float(value) for value in np.percentile(times, [50, 95, 100])]
