"""When a view counts as changed."""

import numpy as np
import pytest

from mobilevlm_ros.engine.change import (
    SIDE,
    ChangeGate,
    GateSettings,
    Reason,
    luma_change,
    luma_thumbnail,
    token_change,
)
from mobilevlm_ros.engine.types import Floats, Pixels
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import Pose, World

SETTINGS = GateSettings(look_change=0.04, caption_change=0.5, heartbeat_s=10.0, period_s=1.0)
FLAT = np.ones((SIDE, SIDE), np.float32)
HERE, THERE = np.eye(2, dtype=np.float32)  # views that have nothing in common


def sensed(pixels: Pixels, seed: int, gain: float = 1.0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, 6, pixels.shape)
    return np.clip(pixels * gain + noise, 0, 255).astype(np.uint8)


def change(before: Pixels, after: Pixels) -> float:
    return luma_change(luma_thumbnail(before), luma_thumbnail(after))


def tilted(degrees: float) -> Floats:
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


@pytest.fixture
def gate() -> ChangeGate:
    return ChangeGate(SETTINGS)


def test_noise_and_exposure_are_no_change() -> None:
    view = render(World(9.0, 9.0, ()), Pose(1.5, 4.5, 0.0)).image
    assert change(sensed(view, 1), sensed(view, 2, gain=0.9)) < SETTINGS.look_change


def test_a_thing_that_appears_is_a_change() -> None:
    pose, ball = Pose(1.5, 4.5, 0.0), Thing('ball', 'red', 4.5, 5.0)
    before, after = (render(World(9.0, 9.0, things), pose).image for things in ((), (ball,)))
    assert change(sensed(before, 1), sensed(after, 2)) > SETTINGS.look_change


@pytest.mark.parametrize('level', [0, 255])
@pytest.mark.parametrize('height, width', [(1, 1), (1, 300), (127, 3), (1080, 1920)])
def test_an_image_of_any_size_has_a_thumbnail(height: int, width: int, level: int) -> None:
    thumbnail = luma_thumbnail(np.full((height, width, 3), level, np.uint8))
    assert thumbnail.shape == (SIDE, SIDE) and thumbnail.dtype == np.float32
    np.testing.assert_allclose(thumbnail, min(level, 1), atol=1e-3)


def test_tokens_are_from_the_same_to_opposite() -> None:
    assert token_change(HERE, 3 * HERE) == pytest.approx(0, abs=1e-6)
    assert token_change(HERE, THERE) == pytest.approx(1)
    assert token_change(HERE, -HERE) == pytest.approx(2)
    assert token_change(HERE, 0 * HERE) == 1
    assert token_change(0 * HERE, 0 * HERE) == 0


def test_a_slow_drift_adds_up_until_it_is_looked_at(gate: ChangeGate) -> None:
    gate.look(FLAT)
    gate.tell(HERE, 0.0)
    assert not gate.must_look(FLAT + 0.03, 1.0)
    assert gate.must_look(FLAT + 0.06, 2.0)


def test_the_first_view_is_looked_at_and_spoken_of(gate: ChangeGate) -> None:
    assert gate.must_look(FLAT, 0.0)
    assert gate.reason(gate.change(HERE), 0.0) is Reason.FIRST


def test_a_view_is_compared_with_the_one_last_spoken_of(gate: ChangeGate) -> None:
    gate.tell(HERE, 0.0)
    assert gate.reason(gate.change(tilted(45)), 2.0) is None
    assert gate.reason(gate.change(tilted(90)), 3.0) is Reason.CHANGE


def test_a_still_view_is_looked_at_and_spoken_of_at_heartbeats(gate: ChangeGate) -> None:
    gate.look(FLAT)
    gate.tell(HERE, 0.0)
    assert not gate.must_look(FLAT, 9.9) and gate.reason(0.0, 9.9) is None
    assert gate.must_look(FLAT, 10.0) and gate.reason(0.0, 10.0) is Reason.HEARTBEAT


def test_two_captions_keep_their_distance(gate: ChangeGate) -> None:
    gate.tell(HERE, 0.0)
    assert gate.reason(2.0, 0.9) is None


def test_without_thresholds_every_view_is_spoken_of() -> None:
    gate = ChangeGate(GateSettings(look_change=0.0, caption_change=0.0, heartbeat_s=0.0))
    gate.look(FLAT)
    gate.tell(HERE, 0.0)
    assert gate.must_look(FLAT, 1.0) and gate.reason(0.0, 1.0) is Reason.RATE


def test_without_heartbeat_a_still_view_is_left_alone() -> None:
    gate = ChangeGate(GateSettings(heartbeat_s=0.0))
    gate.look(FLAT)
    gate.tell(HERE, 0.0)
    assert not gate.must_look(FLAT, 1e6) and gate.reason(0.0, 1e6) is None
