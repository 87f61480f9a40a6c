"""What looks say, and for how long."""

import math

import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.navigation.sight import Corridor, Hysteresis

HERE = Pose(0.0, 0.0, 0.0)


def test_a_probability_between_the_thresholds_changes_nothing() -> None:
    hysteresis = Hysteresis(below=0.4, above=0.7)
    verdict, verdicts = False, []
    for probability in (0.5, 0.69, 0.7, 0.5, 0.41, 0.39, 0.5):
        verdict = hysteresis.judge(probability, verdict)
        verdicts.append(verdict)
    assert verdicts == [False, False, True, True, True, False, False]


def test_an_abstention_is_never_clear() -> None:
    assert not Hysteresis(0.4, 0.7).judge(None, before=True)


@pytest.mark.parametrize(
    ('pose', 'inside'),
    [
        (HERE, True),
        (Pose(1.0, 0.1, 0.1), True),
        (Pose(1.1, 0.0, 0.0), False),  # too far on
        (Pose(0.5, 0.2, 0.0), False),  # too far to the side
        (Pose(0.5, 0.0, 0.3), False),  # turned away
        (Pose(0.5, 0.0, 2 * math.pi), True),
    ],
)
def test_a_corridor_holds_for_its_length_width_and_direction(pose: Pose, inside: bool) -> None:
    assert Corridor(HERE, length=1.0, half_width=0.15, angle=0.2).holds(pose) is inside
