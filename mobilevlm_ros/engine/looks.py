"""Frames that were encoded, on their way into the language model's cache."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mobilevlm_ros.engine.board import Board
from mobilevlm_ros.engine.engine import EncodedFrame, Engine
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.requests import Request, as_engine_error
from mobilevlm_ros.engine.slots import CameraSlot

_logger = logging.getLogger(__name__)


class Looks:
    """Holds one frame after the other; the language thread's."""

    def __init__(
        self,
        engine: Engine,
        board: Board,
        changed: threading.Condition,
        on_held: Callable[[EncodedFrame], None],
    ) -> None:
        self.engine = engine
        self.board = board
        self.changed = changed
        self.on_held = on_held
        self._current: CameraLook | OwnLook | None = None

    def begin(self) -> None:
        """Begin to hold the next frame, if none is under way: a question's own first."""
        if self._current is None and (look := self._next()):
            own = isinstance(look, OwnLook)
            self._current = look
            encoded = look.encoded
            if not self.engine.language.hold(encoded.frame, encoded.visual, look, own):
                self._current = None
            else:
                look.taken()

    def end(self) -> None:
        """Note that a look is over."""
        self._current = None

    def fail(self, slot: CameraSlot, number: int, error: Exception) -> None:
        """Fail the questions that waited for a frame; the next frame is a new chance."""
        _logger.warning('could not look at a frame: %s', error)
        failure = as_engine_error(error)
        with self.changed:
            failed = self.board.fail_look(slot, number, failure)
        for request in failed:
            request.fail(failure)

    def _next(self) -> CameraLook | OwnLook | None:
        with self.changed:
            # One at a time, or those that wait for their turn would fill the cache.
            ready = any(request.held is not None for request in self.board.waiting)
            if self.board.encoded and not ready:
                return OwnLook(self, *self.board.encoded[0])
            slot = self.board.next_encoded()
            if slot is None or slot.encoded is None:
                return None
            return CameraLook(self, slot, *slot.encoded)


@dataclass(slots=True, eq=False)
class CameraLook:
    """The outcome of holding a camera's frame."""

    looks: Looks
    slot: CameraSlot
    number: int
    encoded: EncodedFrame
    begin: float = 0.0

    def taken(self) -> None:
        """The frame waits no longer: the next one may be encoded."""
        self.begin = time.perf_counter()
        with self.looks.changed:
            self.slot.encoded = None
            self.looks.changed.notify_all()

    def succeed(self, held: HeldFrame) -> None:
        """Questions can be asked about it now."""
        timing = self.looks.engine.looked(self.encoded, self.begin)
        now = time.perf_counter()
        held.look_s = timing.total_ms * 1e-3
        held.age_s = self.looks.engine.freshness.age_s(held.frame.header) - held.look_s
        with self.looks.changed:
            self.slot.hold(self.number, self.encoded, timing, now)
        self.looks.end()
        self.looks.on_held(self.encoded)

    def fail(self, error: Exception) -> None:
        """The camera's last frame may have made room for it."""
        if self.looks.engine.language.frames.find(self.encoded.frame.camera) is None:
            with self.looks.changed:
                self.slot.lose()
        self.looks.end()
        self.looks.fail(self.slot, self.number, error)

    def interruption(self) -> None:
        """A look is never broken off."""


@dataclass(slots=True, eq=False)
class OwnLook:
    """The outcome of holding the image of a single question."""

    looks: Looks
    request: Request
    encoded: EncodedFrame
    begin: float = 0.0

    def taken(self) -> None:
        """The image waits no longer: the next one may be encoded."""
        self.begin = time.perf_counter()
        with self.looks.changed:
            self.looks.board.encoded.pop(0)
            self.looks.changed.notify_all()

    def succeed(self, held: HeldFrame) -> None:
        """The question can be answered now, if it still is to be."""
        self.looks.end()
        if self.request.reply.done():
            self.looks.engine.language.frames.release(held)
            return
        self.request.held, held.brought = held, not held.frame.arrived_s
        # Not the time between the two, which others took to be answered.
        self.request.look_s += self.request.group.look_s + time.perf_counter() - self.begin
        timing = self.looks.engine.looked(self.encoded, self.begin)
        asked = self.request.asked
        asked.arrival = replace(asked.arrival, looked=timing)

    def fail(self, error: Exception) -> None:
        """Fail the question."""
        self.looks.end()
        self.request.fail(error)

    def interruption(self) -> Exception | None:
        """A question that nobody waits for needs no image."""
        return self.request.interruption()
