import numpy as np
import pytest

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.scenes import Scene
from mobilevlm_ros.sim.things import KINDS, Thing
from mobilevlm_ros.sim.world import World
from mobilevlm_ros.training.labels import (
    CENTRE,
    COLOUR_NAMES,
    DISTANCE_STEP,
    FARTHEST,
    GRID,
    KIND_NAMES,
    PERHAPS,
    SIDE_NAMES,
    free_room,
    patch_labels,
)


def scene(*things: Thing) -> Scene:
    return Scene(World(10.0, 10.0, things), Pose(1.0, 5.0, 0.0), 0)


def labels_of(*things: Thing) -> np.ndarray:
    shown = scene(*things)
    view = shown.view()
    return patch_labels(shown, view, shown.observe(view).sightings)


def test_patches_are_labelled_with_what_covers_them() -> None:
    labels = labels_of(Thing('barrel', 'red', 3.0, 5.0))
    covered = labels[..., 0] > 0
    assert 15 < covered.sum() < 95
    found = {tuple(int(v) for v in row[:4]) for row in labels[covered]}
    barrel, red = KIND_NAMES.index('barrel'), COLOUR_NAMES.index('red')
    steps = int((2.0 - KINDS['barrel'].radius) / DISTANCE_STEP)
    assert found == {(barrel, red, steps, SIDE_NAMES.index('ahead'))}
    assert abs(np.nonzero(covered)[1].mean() - (GRID - 1) / 2) < 1


def test_every_thing_has_one_centre() -> None:
    things = [Thing('table', 'red', 4.0, 6.5), Thing('box', 'red', 4.0, 3.6)]
    labels = labels_of(*things)
    rows, columns = np.nonzero(labels[..., 4] == CENTRE)
    assert len(rows) == 2
    assert set(labels[rows, columns, 0]) == {KIND_NAMES.index('table'), KIND_NAMES.index('box')}


def test_a_doubtful_thing_is_only_perhaps_a_centre() -> None:
    labels = labels_of(Thing('ball', 'red', 6.5, 5.0))
    assert (labels[..., 4] == PERHAPS).sum() == 1 and (labels[..., 4] == CENTRE).sum() == 0


def test_an_empty_room_has_no_labels() -> None:
    assert not labels_of().any()


def test_free_room_is_less_where_something_stands() -> None:
    empty, blocked = free_room(scene()), free_room(scene(Thing('box', 'red', 3.0, 5.0)))
    assert empty[3:5] == pytest.approx(1.0)
    assert blocked[3] * FARTHEST == pytest.approx(2.0 - 0.42, abs=0.3)
    assert blocked[0] == pytest.approx(empty[0])
