"""The vision thread's work: it decodes and encodes frames, regions and images of questions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from mobilevlm_ros.engine.board import Board, Look
from mobilevlm_ros.engine.engine import Engine
from mobilevlm_ros.engine.gates import Gate
from mobilevlm_ros.engine.looks import Looks
from mobilevlm_ros.engine.regions import crop
from mobilevlm_ros.engine.requests import Request
from mobilevlm_ros.engine.types import Frame

Job = Callable[[], None]
Stay = Callable[[str, float], bool]


class Viewer:
    """Finds out what is to be encoded next, and encodes it."""

    def __init__(
        self,
        engine: Engine,
        board: Board,
        changed: threading.Condition,
        looks: Looks,
        tell_news: Job,
        gate: Gate | None,
        stay: Stay,
    ) -> None:
        """Nobody else calls the engine's encoder.

        Args:
            engine: whose.
            board: what is to be done; touched under `changed` alone.
            changed: its lock.
            looks: told of frames that could not be looked at.
            tell_news: wakes the language thread; called under `changed`.
            gate: which frames are worth a look; None: all.
            stay: told of a camera whose view has not changed, and when, on time.perf_counter;
                whether there is something to say of it.
        """
        self._engine = engine
        self._board = board
        self._changed = changed
        self._looks = looks
        self._tell_news = tell_news
        self._gate = gate
        self._stay = stay

    def next(self, now: float) -> tuple[Job | None, float]:
        """What to do next, if that is due, and when the next look is; called under the lock.

        Args:
            now: on time.perf_counter, as the moment that is returned.
        """
        due, camera = self._board.next_due()
        if request := self._board.next_image(look_due=due <= now):
            return partial(self._encode_own, request), due
        if due <= now:
            return partial(self._look, self._board.take(camera, now)), due
        return None, due

    def _look(self, look: Look) -> None:
        try:
            frame = self._decode(look)
            if self._gate is not None and not self._gate(frame, look.wanted):
                self._skip(look, frame)
                return
            with self._changed:
                look.slot.encoding = look.number
            encoded = self._engine.encode(frame)
        except Exception as error:
            self._fail(look, error)
            return
        with self._changed:
            look.slot.encoded = look.number, encoded
            self._tell_news()

    def _skip(self, look: Look, frame: Frame) -> None:
        with self._changed:
            look.slot.skip(look.number, frame)
            if self._stay(look.camera, time.perf_counter()):
                self._tell_news()

    def _encode_own(self, request: Request) -> None:
        """Encode the image that came with a question, or its region of a frame."""
        try:
            frame = request.group.frame or self._choose(request)
            encoded = self._engine.encode(crop(frame, request.question.roi))
        except Exception as error:
            request.fail(error)
            with self._changed:
                self._tell_news()
            return
        with self._changed:
            request.group.look_s += encoded.timing.total_ms * 1e-3
            if request in self._board.waiting:
                self._board.encoded.append((request, encoded))
            self._tell_news()

    def _choose(self, request: Request) -> Frame:
        """The frame that a region, and those asked about together with it, are of."""
        with self._changed:
            look = self._board.region(request)
        try:
            frame = self._decode(look)
        except Exception as error:
            self._fail(look, error)
            raise
        self._engine.freshness.check(request.question, frame.header)
        with self._changed:
            request.group.fix(frame)
        return frame

    def _decode(self, look: Look) -> Frame:
        """The pixels of a frame, which its slot keeps."""
        frame = look.frame()
        with self._changed:
            look.slot.keep(look.number, frame)
        return frame

    def _fail(self, look: Look, error: Exception) -> None:
        self._looks.fail(look.slot, look.number, error)
        with self._changed:
            self._tell_news()
