"""The model that ships: small enough, whole, and right about scenes it never saw."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilevlm_ros.cli.eval import examine, summarise
from mobilevlm_ros.engine import Engine, Frame, Question, open_engine
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World

MOST_BYTES = 24_000_000


@pytest.fixture(scope='module')
def nano(root: Path) -> Iterator[Engine]:
    with open_engine(root / 'models' / 'nano') as engine:
        yield engine


def ask(nano: Engine, question: str, *things: Thing) -> str:
    view = render(World(9.0, 9.0, things), Pose(1.5, 4.5, 0.0), noise_seed=1)
    nano.look(Frame(view.image))
    return nano.ask(Question(question)).text


def test_it_fits_into_the_repository(root: Path) -> None:
    files = [path for path in (root / 'models' / 'nano').iterdir() if path.is_file()]
    assert 1_000_000 < sum(path.stat().st_size for path in files) < MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize('split, least', [('plain', 0.95), ('perturbed', 0.93), ('unseen', 0.70)])
def test_it_is_right_about_scenes_it_never_saw(nano: Engine, split: str, least: float) -> None:
    result = summarise(list(examine(nano, split, seed=77, scenes=50)))
    assert result['overall']['count'] > 200
    assert result['overall']['accuracy'] > least


def test_its_answers_follow_the_image(nano: Engine) -> None:
    red, green = Thing('box', 'red', 4.0, 4.5), Thing('box', 'green', 4.0, 4.5)
    assert ask(nano, 'What colour is the box?', red) == 'red'
    assert ask(nano, 'What colour is the box?', green) == 'green'
    assert ask(nano, 'Is there a box?') == 'no'


def test_its_answers_follow_the_question(nano: Engine) -> None:
    scene = Thing('cone', 'yellow', 4.0, 6.2), Thing('barrel', 'green', 4.0, 3.0)
    assert ask(nano, 'What is on the left?', *scene) == 'a yellow cone'
    assert ask(nano, 'What is on the right?', *scene) == 'a green barrel'
    assert ask(nano, 'How many things are there?', *scene) == '2'


def test_a_blocked_path_is_not_clear(nano: Engine) -> None:
    question = 'Is the path ahead clear?'
    assert ask(nano, question) == 'yes'
    assert ask(nano, question, Thing('barrel', 'orange', 2.9, 4.5)) == 'no'
