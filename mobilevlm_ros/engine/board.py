"""What the engine's threads share: frames that were shown, and questions that wait.

No locks here: the worker has one, and holds it during every call.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from mobilevlm_ros.engine.engine import EncodedFrame
from mobilevlm_ros.engine.errors import BusyError, MobileVlmError, no_image
from mobilevlm_ros.engine.requests import Request
from mobilevlm_ros.engine.slots import CameraSlot, FrameSource
from mobilevlm_ros.engine.types import CAPTION, Frame, Question


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A frame of a camera to be decoded, and then encoded or cropped."""

    camera: str
    slot: CameraSlot
    number: int
    source: FrameSource
    arrived_s: float  # on freshness.steady_s
    wanted: bool = True  # a question waits for it, or the last frame could not be looked at

    def frame(self) -> Frame:
        """The frame; it arrived when it was shown, unless it says more of that itself."""
        frame = self.source()
        return frame if frame.arrived_s else replace(frame, arrived_s=self.arrived_s)


@dataclass(slots=True, eq=False)
class Board:
    """Slots of cameras, questions that wait, and images that questions brought along."""

    period_s: float  # least time between two looks at a camera
    on_demand: bool  # nothing is looked at ahead
    queue_size: int
    is_old: Callable[[Question, CameraSlot], bool]
    slots: dict[str, CameraSlot] = field(default_factory=dict)
    waiting: list[Request] = field(default_factory=list)
    images: list[Request] = field(default_factory=list)  # whose own images are to be encoded
    encoded: list[tuple[Request, EncodedFrame]] = field(default_factory=list)  # and now are
    _image_next: bool = True

    def show(self, camera: str, source: FrameSource, arrived_s: float) -> None:
        """Store what makes the newest frame of a camera."""
        if camera not in self.slots:
            self.slots[camera] = CameraSlot(self.period_s)
        self.slots[camera].show(source, arrived_s)

    def admit(self, requests: list[Request], newest: bool) -> None:
        """Let questions wait, all or none.

        Raises:
            MobileVlmError: if they cannot even wait.
        """
        self._check_queue(requests)
        for request in requests:
            request.newest = newest
            # Which camera a conversation is about shows when it begins, if that is not said.
            if not request.own and (request.camera or not request.question.session):
                self.settle(request, request.camera)
        self.waiting += requests
        self.waiting.sort(key=lambda request: request.rank)
        self.images += [request for request in requests if request.own]

    def remove(self, requests: Iterable[Request]) -> None:
        """Questions that wait no longer."""
        gone = set(requests)
        self.waiting = [request for request in self.waiting if request not in gone]
        self.images = [request for request in self.images if request not in gone]
        self.encoded = [entry for entry in self.encoded if entry[0] not in gone]

    def next_image(self, look_due: bool) -> Request | None:
        """The next image of a question to encode; by turns with looks that are due.

        None is encoded ahead while the last one still waits to be held, and grows old.
        """
        self.images = [request for request in self.images if not request.reply.done()]
        if not self.images or self.encoded or (look_due and not self._image_next):
            self._image_next = True
            return None
        self._image_next = False
        return self.images.pop(0)

    def next_due(self) -> tuple[float, str]:
        """When the next frame is to be taken for encoding, and whose; infinite if none is."""
        due, _, camera = min(
            (
                (slot.due(self.wanted(name)), slot.taken_at, name)
                for name, slot in self.slots.items()
            ),
            default=(math.inf, 0.0, ''),
        )
        return due, camera

    def take(self, camera: str, now: float) -> Look:
        """The frame of a camera that is due."""
        slot = self.slots[camera]
        wanted = self.wanted(camera) > slot.taken or slot.failed > slot.held
        slot.take(now)
        return self._newest(camera, wanted)

    def region(self, request: Request) -> Look:
        """The frame that a region is of: the newest shown, if the held one is not young enough."""
        slot = self.slots[request.camera]
        latest = slot.latest
        if latest is None or request.newest or self.must_look(request.question, slot):
            return self._newest(request.camera)
        return Look(request.camera, slot, slot.held, lambda: latest, latest.arrived_s)

    def wanted(self, camera: str) -> int:
        """The number of the frame that questions about a camera wait for."""
        return max((r.needs for r in self.waiting if r.camera == camera), default=0)

    def next_encoded(self) -> CameraSlot | None:
        """The slot whose encoded frame has waited longest to be held."""
        ready = [slot for slot in self.slots.values() if slot.encoded]
        return min(ready, key=lambda slot: slot.encoded[1].at if slot.encoded else 0, default=None)

    def patience(self, now: float) -> float:
        """Seconds until the first deadline of a question that waits."""
        first = min((request.deadline for request in self.waiting), default=math.inf)
        return max(0.0, min(first - now, threading.TIMEOUT_MAX))

    def fail_look(self, failed: CameraSlot, number: int, error: MobileVlmError) -> list[Request]:
        """Note that a frame could not be looked at; returns the questions to fail with it."""
        failed.fail(number, error)
        return [
            request
            for request in self.waiting
            if self.slots.get(request.camera) is failed and not failed.can_hold(request.needs)
        ]

    def settle(self, request: Request, camera: str) -> None:
        """Note which camera a question is about, and which of its frames must be held first.

        Args:
            request: the question.
            camera: its name; empty: the one that was shown first.

        Raises:
            MobileVlmError: if it would wait in vain.
        """
        request.camera, request.settled = camera or next(iter(self.slots), ''), True
        if request.stamp_ns:
            return
        slot = self.slots.get(request.camera)
        if slot is None:
            raise no_image(request.camera)
        if request.takes_pixels:
            return
        if request.newest or self.must_look(request.question, slot):
            request.needs = slot.shown
            request.waits = slot.held < slot.shown
        if slot.failure and not slot.can_hold(request.needs):
            raise slot.failure.with_traceback(None)  # which would grow with every question

    def must_look(self, question: Question, slot: CameraSlot) -> bool:
        """Whether a question needs a newer frame of a camera than the one that is held."""
        if slot.held_frame is None or self.on_demand:
            return True
        return self.is_old(question, slot)

    def _newest(self, camera: str, wanted: bool = True) -> Look:
        slot = self.slots[camera]
        assert slot.source is not None
        return Look(camera, slot, slot.shown, slot.source, slot.arrived_s, wanted)

    def _check_queue(self, requests: list[Request]) -> None:
        count = sum(r.rank[0] < CAPTION and not r.reply.done() for r in self.waiting)
        if count + len(requests) > self.queue_size:
            raise BusyError(f'{count} questions are waiting already; ask again later')
