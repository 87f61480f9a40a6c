from collections.abc import Iterator
from itertools import count

from mobilevlm_ros.bench.harness import measure
from mobilevlm_ros.bench.rows import Row


class Clock:
    """A side whose every call returns the next number, and is written down."""

    def __init__(self, name: str, calls: list[tuple[str, str]]) -> None:
        self.name, self.calls = name, calls
        self.numbers: Iterator[int] = count()

    def call(self, method: str, *_: object) -> int:
        self.calls.append((method, self.name))
        return next(self.numbers)


ROW = Row('encode', 'encode', sides=('ours', 'peer', 'floor'))


def test_the_first_round_does_not_count() -> None:
    values = measure({'ours': Clock('ours', [])}, [ROW], repetitions=3)
    assert values == {'encode': {'ours': [1, 2, 3]}}


def test_sides_take_turns_and_turn_their_order() -> None:
    calls: list[tuple[str, str]] = []
    sides = {name: Clock(name, calls) for name in ('ours', 'floor')}
    measure(sides, [ROW], repetitions=1)
    assert [side for _, side in calls] == ['ours', 'floor', 'floor', 'ours']


def test_a_side_that_does_not_take_part_in_a_row_is_not_asked() -> None:
    calls: list[tuple[str, str]] = []
    row = Row('looking', 'looking', sides=('ours',))
    values = measure({n: Clock(n, calls) for n in ('ours', 'floor')}, [row], 1)
    assert values == {'looking': {'ours': [1]}}
    assert {side for _, side in calls} == {'ours'}
