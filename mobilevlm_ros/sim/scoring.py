"""Whether an answer is right; descriptions also fact by fact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

CLAUSE = re.compile(r'^an? (\w+) (\w+) ((?:near|far) (?:on the left|ahead|on the right))$')
FACTS = ('thing', 'colour', 'place')


@dataclass(frozen=True)
class FactCount:
    """How many facts of some sort were true, were said, and were both."""

    true: int = 0
    said: int = 0
    right: int = 0

    def __add__(self, other: FactCount) -> FactCount:
        return FactCount(self.true + other.true, self.said + other.said, self.right + other.right)

    @property
    def precision(self) -> float:
        """Share of what was said that is true; 1 if nothing was said."""
        return self.right / self.said if self.said else 1.0

    @property
    def recall(self) -> float:
        """Share of what is true that was said; 1 if nothing is."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.true + self.said
        return 2 * self.right / both if both else 1.0


def normalise(answer: str) -> str:
    """Without case, final stop and extra white space."""
    return ' '.join(answer.lower().split()).rstrip('.')


def is_right(kind: str, answer: str, truth: str) -> bool:
    """Whether an answer says the same as the truth; a description's order does not matter."""
    answer, truth = normalise(answer), normalise(truth)
    if kind == 'describe':
        return Counter(answer.split(', ')) == Counter(truth.split(', '))
    return answer == truth


def facts(description: str) -> dict[str, Counter[tuple[str, ...]]]:
    """The facts that a description states: each thing's kind, its colour, its place.

    A clause that cannot be understood counts as three facts that match none.
    """
    found: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in FACTS}
    for clause in normalise(description).split(', '):
        match = CLAUSE.match(clause)
        if clause in ('', 'nothing'):
            continue
        colour, kind, place = match.groups() if match else ('?', clause, '?')
        found['thing'][(kind,)] += 1
        found['colour'][(kind, colour)] += 1
        found['place'][(kind, place)] += 1
    return found


def compare_facts(answer: str, truth: str) -> dict[str, FactCount]:
    """Count the facts of each sort in an answer and in the truth."""
    said, true = facts(answer), facts(truth)
    return {
        name: FactCount(true[name].total(), said[name].total(), (said[name] & true[name]).total())
        for name in FACTS
    }


def add_facts(counts: Iterable[dict[str, FactCount]]) -> dict[str, FactCount]:
    """Sums by sort, and over all sorts under `facts`."""
    total = dict.fromkeys(FACTS, FactCount())
    for count in counts:
        total = {name: total[name] + count[name] for name in FACTS}
    return {**total, 'facts': sum(total.values(), FactCount())}
