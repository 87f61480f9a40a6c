import pytest

from mobilevlm_ros.sim.scoring import FactCount, add_facts, compare_facts, is_right

TRUTH = 'a red box near on the left, an orange ball far ahead'


def test_case_and_final_stop_do_not_matter() -> None:
    assert is_right('colour_of', ' Red. ', 'red')
    assert not is_right('colour_of', 'dark red', 'red')


def test_a_description_may_name_things_in_any_order() -> None:
    assert is_right('describe', 'an orange ball far ahead, a red box near on the left', TRUTH)
    assert not is_right('describe', 'a red box near on the left', TRUTH)


def test_facts_are_counted_one_by_one() -> None:
    counts = compare_facts('a red box far on the left, an orange cone far ahead', TRUTH)
    assert counts['thing'] == FactCount(2, 2, 1)
    assert counts['colour'] == FactCount(2, 2, 1)
    assert counts['place'] == FactCount(2, 2, 0)


def test_gibberish_costs_precision() -> None:
    counts = add_facts([compare_facts('a robot may not injure', TRUTH)])
    assert counts['facts'].precision == 0 and counts['facts'].said == 3


def test_an_empty_room_described_as_nothing_is_right() -> None:
    counts = add_facts([compare_facts('nothing', 'nothing')])
    assert counts['facts'] == FactCount(0, 0, 0) and counts['facts'].f1 == 1


def test_f1_is_the_harmonic_mean() -> None:
    count = FactCount(true=10, said=5, right=4)
    assert count.f1 == pytest.approx(2 * 0.8 * 0.4 / 1.2)
