import numpy as np
import pytest

from mobilevlm_ros.sim.exam import sheets
from mobilevlm_ros.sim.questions import QUESTION_KINDS
from mobilevlm_ros.sim.things import COLOURS, KINDS, UNSEEN_PAIRS


def test_the_same_seed_is_the_same_examination() -> None:
    first, again = list(sheets('plain', 3, 4)), list(sheets('plain', 3, 4))
    assert [s.questions for s in first] == [s.questions for s in again]
    assert all((a.image == b.image).all() for a, b in zip(first, again, strict=True))
    assert [s.questions for s in sheets('plain', 4, 4)] != [s.questions for s in first]


def test_a_scene_is_asked_at_most_one_question_of_each_kind() -> None:
    for sheet in sheets('plain', 0, 20):
        kinds = [qa.kind for qa in sheet.questions]
        assert len(kinds) == len(set(kinds)) and set(kinds) <= set(QUESTION_KINDS)


def test_perturbed_asks_the_same_of_other_pixels() -> None:
    for plain, other in zip(sheets('plain', 1, 6), sheets('perturbed', 1, 6), strict=True):
        assert plain.questions == other.questions
        difference = np.abs(plain.image.astype(int) - other.image)
        assert 1 < difference.mean() < 90


def test_unseen_names_only_pairs_that_were_kept_out() -> None:
    answers = [qa.answer for s in sheets('unseen', 0, 40) for qa in s.questions]
    named = {
        (colour, kind)
        for answer in answers
        for clause in answer.split(', ')
        for colour in COLOURS
        for kind in KINDS
        if f'{colour} {kind}' in clause
    }
    assert len(named) >= 4 and named <= UNSEEN_PAIRS


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(ValueError, match='plain, perturbed, unseen'):
        next(sheets('other', 0, 1))
