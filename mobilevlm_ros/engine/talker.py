"""The language thread's work: it begins what waits, and lets the scheduler run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobilevlm_ros.engine.board import Board
from mobilevlm_ros.engine.engine import Engine
from mobilevlm_ros.engine.errors import no_image, not_held
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.looks import Looks
from mobilevlm_ros.engine.regions import crop
from mobilevlm_ros.engine.requests import Request
from mobilevlm_ros.engine.slots import CameraSlot
from mobilevlm_ros.engine.telling import Captions
from mobilevlm_ros.engine.types import WHOLE, Answer

_logger = logging.getLogger(__name__)


class Talker:
    """Holds frames, answers questions and tells captions, all together."""

    def __init__(
        self,
        engine: Engine,
        board: Board,
        changed: threading.Condition,
        captions: Captions,
    ) -> None:
        """Nobody else calls the engine's language side.

        Args:
            engine: whose.
            board: what is to be done; touched under `changed` alone.
            changed: its lock, notified when there is news.
            captions: what is said unasked.
        """
        self.active: list[Request] = []  # that have begun and have no answer yet
        self.load = engine.language.load()
        self.looks = Looks(engine, board, changed, captions.see)
        self.changed = changed
        self._engine = engine
        self._language = engine.language
        self._board = board
        self._captions = captions

    def turn(self) -> bool:
        """Begin what can begin, decode one batch, deliver; false if nothing was there to do."""
        with self.changed:
            waiting = list(self._board.waiting)
            self._confirm_frames()
        for request in waiting:
            self._end_overdue(request)
        begun = self._begin_answers([r for r in waiting if not r.reply.done()])
        self._captions.begin()
        self.looks.begin()
        self.load = self._language.load(len(waiting) - begun)
        worked = self._language.scheduler.tick()
        # What ended without a batch is no load any more, and leaves room for what waits.
        delivered = self._language.scheduler.deliver()
        if not worked:
            self.load = self._language.load(len(waiting) - begun)
        return worked or delivered or begun > 0

    def end(self, request: Request) -> None:
        """Note that a request has its answer or error."""
        with self.changed:
            if request in self.active:
                self.active.remove(request)

    def _confirm_frames(self) -> None:
        """Let held frames know of newer ones that show the same."""
        for camera, slot in self._board.slots.items():
            held = self._language.frames.find(camera)
            if held is not None and held.frame is slot.held_frame and slot.latest is not None:
                held.latest = slot.latest

    # Questions.

    def _end_overdue(self, request: Request) -> None:
        if error := request.interruption():
            self._leave(request)
            request.fail(error)

    def _begin_answers(self, waiting: Sequence[Request]) -> int:
        """Begin questions in their order; returns how many.

        One that finds no room lets no later one pass. A session that is busy holds up itself.
        """
        begun = 0
        for request in waiting:
            try:
                held = self._frame_for(request)
                if held is None or self._language.is_busy(request.question.session):
                    continue
                if not self._begin_answer(request, held):
                    break
                begun += 1
            except Exception as error:
                self._leave(request)
                request.fail(error)
        return begun

    def _frame_for(self, request: Request) -> HeldFrame | None:
        """The frame that a question is about, if it is there yet."""
        if request.image is not None:
            return self._own_frame(request)
        with self.changed:
            slot = self._board.slots.get(request.camera)
            if slot is not None and request.needs > slot.held:
                return None
        held = request.group.held
        if held is None:
            held = self._find(request)
            if held is None:
                self._wait_for_newer(request, slot)
                return None
            if self._renews(request, held):
                return None
            request.look_s = held.look_s if request.waits else 0.0
            self._engine.freshness.check(
                request.question, held, request.look_s, request.stamp_ns
            )
        if request.question.roi == WHOLE:
            return held
        self._crop(request, held)
        return None

    def _crop(self, request: Request, held: HeldFrame) -> None:
        """Have a region of a held frame encoded."""
        frame = held.find_frame(request.stamp_ns)
        if frame is None:
            kept_ns = {held.frame.stamp_ns, held.latest.stamp_ns}
            raise not_held(held.frame.camera, request.stamp_ns, kept_ns)
        request.image = crop(frame, request.question.roi)
        with self.changed:
            self._board.images.append(request)
            self.changed.notify_all()

    def _own_frame(self, request: Request) -> HeldFrame | None:
        """The image that only this question is about, if it is held; a region may grow too old."""
        if request.held is not None:
            look_s = request.look_s + request.held.look_s
            self._engine.freshness.check(request.question, request.held, look_s)
        return request.held

    def _find(self, request: Request) -> HeldFrame | None:
        session, stamp_ns = request.question.session, request.stamp_ns
        if session and not request.named and (held := self._language.find('', stamp_ns, session)):
            return held
        return self._language.find(request.camera, stamp_ns)

    def _renews(self, request: Request, held: HeldFrame) -> bool:
        """Let a question wait, once, for a newer frame if the one that was found grew too old.

        Of a conversation, it shows here only which camera it is about.
        """
        if request.waits or request.stamp_ns or held.brought:
            return False
        with self.changed:
            slot = self._board.slots.get(held.frame.camera)
            if slot is None or not slot.coming:
                return False
            if not self._board.must_look(request.question, slot):
                return False
            request.camera = held.frame.camera
            request.needs, request.waits = slot.shown, True
            self.changed.notify_all()
        return True

    def _wait_for_newer(self, request: Request, slot: CameraSlot | None) -> None:
        """The frame made way for those of other cameras, or could not be held."""
        if request.stamp_ns:
            held_ns = self._language.frames.stamps_ns(request.camera)
            raise not_held(request.camera, request.stamp_ns, held_ns)
        with self.changed:
            if slot is None or not slot.coming:
                failure = slot.failure if slot else None
                raise failure or no_image(request.camera)
            request.needs, request.waits = slot.shown, True
            self.changed.notify_all()

    def _begin_answer(self, request: Request, held: HeldFrame) -> bool:
        asked = request.asked
        if request.waits and (slot := self._board.slots.get(request.camera)):
            asked.arrival = replace(asked.arrival, looked=slot.looked_since(asked.arrival.at))
        if self._language.answer(asked, held, Answering(self, request)) is None:
            return False
        with self.changed:
            self.active.append(request)
        request.reply.begun = True
        if request.group.held is None and request.group.waiting > 1:
            request.group.held = held
            self._language.frames.use(held)
        self._leave(request)
        return True

    def _leave(self, request: Request) -> None:
        """A question waits no longer, because it ended or began."""
        with self.changed:
            self._board.remove([request])
        frames, group = self._language.frames, request.group
        if request.held is not None:
            frames.release(request.held)
            request.held = None
        group.waiting -= 1
        if group.held is not None and not group.waiting:
            frames.release(group.held)
            group.held = None


@dataclass(slots=True, eq=False)
class Answering:
    """The outcome of a question."""

    talker: Talker
    request: Request

    def succeed(self, answer: Answer) -> None:
        """Deliver the answer."""
        self.talker.end(self.request)
        self.request.succeed(answer)

    def fail(self, error: Exception) -> None:
        """Deliver the error."""
        self.talker.end(self.request)
        self.request.fail(error)

    def interruption(self) -> Exception | None:
        """As the asker has it."""
        return self.request.interruption()
