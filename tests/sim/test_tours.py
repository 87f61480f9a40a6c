"""Tours added up and compared."""

import math

import pytest

from mobilevlm_ros.sim.tours import Tour, add_up, fewer_contacts, share_reached

STRAIGHT = ((0.0, 0.0), (30.0, 0.0), (30.0, 20.0))


def test_contacts_count_per_hundred_metres_of_all_tours_together() -> None:
    total = add_up([Tour(STRAIGHT, 2, 0, 3), Tour(STRAIGHT, 0, 5, 4)])
    assert (total.metres, total.contacts, total.stops, total.reached) == (100.0, 2, 5, 7)
    assert total.contacts_per_100_m == 2.0


def test_reactions_are_summarised_by_median_and_tail() -> None:
    total = add_up([Tour((), 0, 0, 0, (10.0,) * 19), Tour((), 0, 0, 0, (110.0,))])
    assert total.reaction_ms == (10.0, pytest.approx(15.0))


def test_a_robot_is_compared_with_a_blind_one_and_with_the_best_one() -> None:
    model = add_up([Tour(STRAIGHT, 1, 0, 8)])
    blind, truth = add_up([Tour(STRAIGHT, 20, 0, 5)]), add_up([Tour(STRAIGHT, 0, 0, 10)])
    assert fewer_contacts(model, blind) == pytest.approx(0.95)
    assert share_reached(model, truth) == pytest.approx(0.8)


def test_nothing_to_compare_with_is_not_a_success() -> None:
    still = add_up([Tour((), 0, 0, 0)])
    assert math.isnan(still.contacts_per_100_m)
    assert math.isnan(fewer_contacts(still, still)) and math.isnan(share_reached(still, still))
