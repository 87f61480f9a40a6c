"""The questions of the simulated world that have a closed set of answers, and those answers."""

from __future__ import annotations

import re
from itertools import product

from mobilevlm_ros.sim.questions import a
from mobilevlm_ros.sim.things import COLOURS, KINDS

MOST_COUNTED = 9  # things; hardly a frame shows more
FIXED: dict[str, tuple[str, ...]] = {
    'what_is': ('nothing', *(a(f'{colour} {kind}') for colour, kind in product(COLOURS, KINDS))),
    'colour_of': tuple(COLOURS),
    'how_many': tuple(str(count) for count in range(MOST_COUNTED + 1)),
    'is_there': ('yes', 'no'),
    'path_clear': ('yes', 'no'),
    'free_way': ('ahead', 'left', 'right', 'both', 'none'),
}
_THINGS = re.compile(rf'the (?:{"|".join(COLOURS)}) (?:{"|".join(KINDS)})')


def choices_of(kind: str, question: str) -> tuple[str, ...]:
    """All answers that a question of this kind may have; none if they are no closed set."""
    if kind == 'nearer':
        return tuple(_THINGS.findall(question))
    return FIXED.get(kind, ())
