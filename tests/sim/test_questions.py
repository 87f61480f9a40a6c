from collections import Counter

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.questions import QA, QUESTION_KINDS, ask, ask_all
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.truth import Observation, observe
from mobilevlm_ros.sim.world import World

THINGS = (
    Thing('barrel', 'red', 3.2, 6.2),
    Thing('cone', 'orange', 3.0, 5.0),
    Thing('barrel', 'blue', 4.0, 3.4),
)


def seen(*things: Thing) -> Observation:
    return observe(World(10.0, 10.0, things), Pose(1.0, 5.0, 0.0))


def everything(observation: Observation, kind: str, tries: int = 200) -> dict[str, str]:
    asked = (ask(observation, kind, np.random.default_rng(i)) for i in range(tries))
    return {qa.question: qa.answer for qa in asked if qa}


def test_what_is_names_the_thing_on_that_side() -> None:
    answers = everything(seen(*THINGS), 'what_is')
    assert answers['What is on the left?'] == 'a red barrel'
    assert answers['What is ahead?'] == 'an orange cone'
    assert answers['What is the nearest thing to your right?'] == 'a blue barrel'


def test_nothing_is_an_answer() -> None:
    assert set(everything(seen(), 'what_is').values()) == {'nothing'}
    assert set(everything(seen(), 'describe').values()) == {'nothing'}


def test_colour_is_asked_only_where_one_thing_is_meant() -> None:
    answers = everything(seen(*THINGS), 'colour_of')
    assert answers['What colour is the cone?'] == 'orange'
    assert not [q for q in answers if 'barrel' in q]


def test_counts_count_what_was_named() -> None:
    answers = everything(seen(*THINGS), 'how_many', 600)
    assert answers['How many barrels are there?'] == '2'
    assert answers['How many things are there?'] == '3'
    assert answers['How many red barrels are there?'] == '1'


def test_is_there_is_answered_yes_and_no_about_as_often() -> None:
    scenes = [sample_scene(5, i).observe() for i in range(150)]
    asked = [ask(o, 'is_there', np.random.default_rng(i)) for i, o in enumerate(scenes)]
    counts = Counter(qa.answer for qa in asked if qa)
    assert 0.35 < counts['yes'] / counts.total() < 0.65


def test_the_nearer_of_two_is_the_nearer_one() -> None:
    answers = everything(seen(*THINGS), 'nearer')
    assert answers['Which is nearer, the orange cone or the blue barrel?'] == 'the orange cone'
    assert answers['Which is nearer, the blue barrel or the orange cone?'] == 'the orange cone'


def test_two_things_equally_near_are_not_compared() -> None:
    alike = seen(Thing('barrel', 'red', 4.0, 6.0), Thing('cone', 'blue', 4.0, 4.0))
    assert not everything(alike, 'nearer')


def test_what_cannot_be_told_is_not_asked() -> None:
    doubtful = seen(Thing('ball', 'red', 6.5, 5.0))
    assert not everything(doubtful, 'describe')
    assert not everything(doubtful, 'colour_of')
    assert 'Is there a red ball?' not in everything(doubtful, 'is_there')


def test_descriptions_go_from_left_to_right() -> None:
    assert set(everything(seen(*THINGS), 'describe').values()) == {
        'a red barrel near on the left, an orange cone near ahead, a blue barrel far on the right'
    }


def test_every_kind_is_asked_in_varied_wording() -> None:
    asked: list[QA] = []
    for i in range(120):
        asked += ask_all(sample_scene(6, i).observe(), np.random.default_rng(i))
    for kind in QUESTION_KINDS:
        assert len({qa.question for qa in asked if qa.kind == kind}) >= 3, kind


def test_a_question_knows_its_truth_in_another_frame() -> None:
    asked = ask(seen(), 'path_clear', np.random.default_rng(0))
    assert asked and asked.answer == 'yes'
    assert asked.judge(seen(Thing('box', 'red', 2.3, 5.0))) == 'no'
    assert asked.judge(seen(Thing('box', 'red', 3.4, 5.0))) is None
