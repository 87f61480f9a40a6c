import numpy as np
import pytest

from mobilevlm_ros.sim.scenes import Scene
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import Pose, World
from mobilevlm_ros.training.labels import (
    COLOUR_NAMES,
    FARTHEST,
    KIND_NAMES,
    free_room,
    patch_labels,
)


def scene(*things: Thing) -> Scene:
    return Scene(World(10.0, 10.0, things), Pose(1.0, 5.0, 0.0), 0)


def test_patches_are_labelled_with_what_covers_them() -> None:
    shown = scene(Thing('barrel', 'red', 3.0, 5.0))
    labels = patch_labels(shown, shown.view())
    covered = labels[..., 0] > 0
    assert 10 < covered.sum() < 60
    found = {tuple(int(v) for v in row) for row in labels[covered]}
    assert found == {(KIND_NAMES.index('barrel'), COLOUR_NAMES.index('red'), 1)}
    assert abs(np.nonzero(covered)[1].mean() - 7.5) < 1


def test_an_empty_room_has_no_labels() -> None:
    assert not patch_labels(scene(), scene().view()).any()


def test_free_room_is_less_where_something_stands() -> None:
    empty, blocked = free_room(scene()), free_room(scene(Thing('box', 'red', 3.0, 5.0)))
    assert empty[3:5] == pytest.approx(1.0)
    assert blocked[3] * FARTHEST == pytest.approx(2.0 - 0.42, abs=0.3)
    assert blocked[0] == pytest.approx(empty[0])
