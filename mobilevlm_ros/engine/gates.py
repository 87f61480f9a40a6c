"""Which frames are worth a look."""

from __future__ import annotations

import time
from typing import Protocol

from mobilevlm_ros.engine.change import ChangeGate, GateSettings, luma_thumbnail
from mobilevlm_ros.engine.types import Frame


class Gate(Protocol):
    """Decides which frames are worth a look, with `look: on_change`. The vision thread's."""

    def __call__(self, frame: Frame, wanted: bool) -> bool:
        """Whether to encode a frame; one that is wanted is encoded in any case."""


class ChangedViews:
    """A Gate that goes by coarse luma, for each camera on its own."""

    def __init__(self, settings: GateSettings | None = None) -> None:
        self._settings = settings or GateSettings()
        self._gates: dict[str, ChangeGate] = {}

    def __call__(self, frame: Frame, wanted: bool) -> bool:
        """Whether a frame is wanted, or differs from the last of its camera that was looked at."""
        gate = self._gates.setdefault(frame.camera, ChangeGate(self._settings))
        thumbnail = luma_thumbnail(frame.pixels)
        looks = wanted or gate.must_look(thumbnail, time.perf_counter())
        if looks:
            gate.look(thumbnail)
        return looks
