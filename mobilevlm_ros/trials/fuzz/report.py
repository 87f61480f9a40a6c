"""What fuzzing found, as text, and what of it is too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mobilevlm_ros.tables import format_table
from mobilevlm_ros.trials.usage import Usage

MOST_GROWN_MB, MOST_PEAK_MB = 150.0, 700.0  # beyond what was taken after the warm-up
MOST_NEW_THREADS, MOST_NEW_FILES = 4, 16
SHOWN = 20  # violations


@dataclass(frozen=True)
class Resources:
    """What vlm_node took: when it was ready, after the warm-up, and in the end."""

    ready: Usage
    warm: Usage
    end: Usage


def judge(resources: Resources) -> Iterator[str]:
    """What grew beyond its limit."""
    warm, end = resources.warm, resources.end
    for name, grown, most in (
        ('MB resident', end.rss_mb - warm.rss_mb, MOST_GROWN_MB),
        ('MB at the peak', end.peak_mb - warm.rss_mb, MOST_PEAK_MB),
        ('threads', end.threads - warm.threads, MOST_NEW_THREADS),
        ('open files', end.files - warm.files, MOST_NEW_FILES),
    ):
        if grown > most:
            yield f'{name} grew by {grown:.0f}; {most:.0f} are allowed'


def report(
    ends: dict[str, Counter[str]], resources: Resources, seconds: float, violations: Sequence[str]
) -> str:
    """Tables of statuses and resources, and the violations."""
    lines = [f'{sum(map(Counter.total, ends.values()))} replies in {seconds:.0f} s', '']
    lines += [_statuses(ends), '', _usage(resources), '']
    lines += [f'{len(violations)} violations', *(f'  {text}' for text in violations[:SHOWN])]
    return '\n'.join(lines)


def _statuses(ends: dict[str, Counter[str]]) -> str:
    total: Counter[str] = sum(ends.values(), Counter())
    codes = [code for code, _ in total.most_common()]
    rows = [*sorted(ends.items()), ('all', total)]
    return format_table(
        ['message', 'sent', *codes],
        [[kind, found.total(), *(found[code] for code in codes)] for kind, found in rows],
    )


def _usage(resources: Resources) -> str:
    return format_table(
        ['vlm_node', 'resident MB', 'peak MB', 'threads', 'open files'],
        [
            [name, round(usage.rss_mb), round(usage.peak_mb), usage.threads, usage.files]
            for name, usage in (
                ('ready', resources.ready), ('warm', resources.warm), ('end', resources.end),
            )
        ],
    )  # fmt: skip
