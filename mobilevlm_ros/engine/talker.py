"""The language thread's work: it begins what waits, and lets the scheduler run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mobilevlm_ros.engine.board import Board
from mobilevlm_ros.engine.engine import Engine
from mobilevlm_ros.engine.errors import not_held
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.looks import Looks
from mobilevlm_ros.engine.requests import Request
from mobilevlm_ros.engine.slots import CameraSlot
from mobilevlm_ros.engine.telling import Captions
from mobilevlm_ros.engine.types import WHOLE, Answer, Frame

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
                held.confirm(slot.latest)

    # Questions.

    def _end_overdue(self, request: Request) -> None:
        error = request.interruption()
        if error or request.reply.done():
            self._leave(request)
        if error:
            request.fail(error)

    def _begin_answers(self, waiting: Sequence[Request]) -> int:
        """Begin questions in their order; returns how many.

        One that finds no room lets no later one pass. A session that is busy holds up itself.
        """
        begun, next_turns = 0, dict[str, Request]()
        for request in waiting:
            session = request.question.session
            if session and _comes_after(request, next_turns.setdefault(session, request)):
                continue
            try:
                held = self._frame_for(request)
                if held is None or self._language.is_busy(session):
                    continue
                if not self._begin_answer(request, held):
                    break
                begun += 1
                next_turns.pop(session, None)
            except Exception as error:
                self._leave(request)
                request.fail(error)
                next_turns.pop(session, None)
        return begun

    def _frame_for(self, request: Request) -> HeldFrame | None:
        """The frame that a question is about, if it is there yet."""
        if request.own:
            return self._own_frame(request)
        held = request.group.held or self._brought(request)
        if held is not None:
            self._check_held(request, held)
        else:
            self._settle(request)
            if request.takes_pixels:
                self._encode_own(request)
                return None
            held = self._held_frame(request)
        if held is None or request.question.roi == WHOLE:
            return held
        self._encode_own(request, self._pixels(request, held))
        return None

    def _own_frame(self, request: Request) -> HeldFrame | None:
        """The image that only this question is about, if it is held; a region may grow too old."""
        held = request.held
        if held is None:
            return None
        if request.takes_pixels and request.group.size == 1 and self._is_old(request, held):
            self._language.frames.release(held)
            request.held = None
            request.choose_again()
            self._encode_own(request)
            return None
        self._check_age(request, held)
        return held

    def _brought(self, request: Request) -> HeldFrame | None:
        """The image that a conversation is about, if it came along with an earlier question."""
        if request.settled or request.stamp_ns:
            return None
        return self._language.find_brought(request.question.session)

    def _settle(self, request: Request) -> None:
        """Find out which camera a conversation is about, once its next turn has come."""
        if not request.settled:
            camera = self._language.camera_of(request.question.session)
            with self.changed:
                self._board.settle(request, camera)
                self.changed.notify_all()

    def _encode_own(self, request: Request, frame: Frame | None = None) -> None:
        """Have a region encoded: of this frame, or of one that the vision thread chooses."""
        with self.changed:
            if frame is not None:
                request.group.fix(frame)
            request.own = True
            self._board.images.append(request)
            self.changed.notify_all()

    def _pixels(self, request: Request, held: HeldFrame) -> Frame:
        frame = held.find_frame(request.stamp_ns)
        if frame is None:
            kept_ns = {held.frame.stamp_ns, held.latest.stamp_ns}
            raise not_held(held.frame.camera, request.stamp_ns, kept_ns)
        self._share(request, held)
        return frame

    def _held_frame(self, request: Request) -> HeldFrame | None:
        """The held frame of the camera, unless the question has to wait for a newer one."""
        held = self._language.frames.find(request.camera, request.stamp_ns)
        if held is None and request.stamp_ns:
            held_ns = self._language.frames.stamps_ns(request.camera)
            raise not_held(request.camera, request.stamp_ns, held_ns)
        with self.changed:
            if not request.stamp_ns and self._must_wait(request, held):
                self.changed.notify_all()
                return None
        assert held is not None
        self._check_held(request, held)
        return held

    def _must_wait(self, request: Request, held: HeldFrame | None) -> bool:
        """Whether a question waits for a newer frame than the one held, or than none.

        It does so once if that is too old, again if it grew so while others were answered, and
        always if it made way for those of other cameras.
        """
        slot = self._board.slots[request.camera]
        if request.needs > slot.held:
            return True
        if held is None and slot.held_frame is not None:
            slot.lose()
        if held is None and slot.failure and not slot.coming:
            raise slot.failure.with_traceback(None)  # which would grow with every question
        if held is None or (slot.coming and self._renews(request, held, slot)):
            request.needs, request.waits = slot.shown, True
            return True
        return False

    def _renews(self, request: Request, held: HeldFrame, slot: CameraSlot) -> bool:
        if request.waits:  # if every image comes too late, the question is refused
            fitted = self._engine.freshness.allows(request.question, held.age_s)
            return fitted and self._is_old(request, held)
        return self._board.must_look(request.question, slot)

    def _check_held(self, request: Request, held: HeldFrame) -> None:
        request.look_s = held.look_s if request.waits else 0.0
        self._check_age(request, held)

    def _check_age(self, request: Request, held: HeldFrame) -> None:
        if not held.brought:
            header = held.find_header(request.stamp_ns)
            self._engine.freshness.check(request.question, header, request.look_s)

    def _is_old(self, request: Request, held: HeldFrame) -> bool:
        header = held.find_header(request.stamp_ns)
        return not held.brought and self._engine.freshness.is_old(
            request.question, header, request.look_s
        )

    def _begin_answer(self, request: Request, held: HeldFrame) -> bool:
        asked = request.asked
        if request.waits and not request.own:
            with self.changed:
                looked = self._board.slots[request.camera].looked_since(asked.arrival.at)
            asked.arrival = replace(asked.arrival, looked=looked)
        if self._language.answer(asked, held, Answering(self, request)) is None:
            return False
        with self.changed:
            self.active.append(request)
        request.reply.begun = True
        if not request.own:
            self._share(request, held)
        self._leave(request)
        return True

    def _share(self, request: Request, held: HeldFrame) -> None:
        """Keep a frame for the others of the group."""
        group = request.group
        if group.held is None and group.waiting > 1:
            group.held = held
            self._language.frames.use(held)

    def _leave(self, request: Request) -> None:
        """A question waits no longer, because it ended or began."""
        with self.changed:
            self._board.remove([request])
            self.changed.notify_all()  # its image may have held up the next one
        frames, group = self._language.frames, request.group
        if request.held is not None:
            frames.release(request.held)
            request.held = None
        group.waiting -= 1
        if group.held is not None and not group.waiting:
            frames.release(group.held)
            group.held = None


def _comes_after(request: Request, turn: Request) -> bool:
    """Whether a question has to wait until an earlier turn of its session has begun.

    It does not if its image is held already, and that of the other is to be held after it.
    """
    return turn is not request and not (turn.own and request.held is not None)


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
