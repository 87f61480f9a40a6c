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
    """A frame of a camera to be encoded."""

    camera: str
    slot: CameraSlot
    number: int
    source: FrameSource
    arrived_s: float  # on freshness.steady_s
    wanted: bool  # a question waits for it, or the last frame could not be looked at

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
    images: list[Request] = field(default_factory=list)  # whose images are to be encoded
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
            self._admit(request, newest)
        self.waiting += requests
        self.waiting.sort(key=lambda request: request.rank)
        self.images += [request for request in requests if request.image is not None]

    def remove(self, requests: Iterable[Request]) -> None:
        """Questions that wait no longer."""
        gone = set(requests)
        self.waiting = [request for request in self.waiting if request not in gone]
        self.images = [request for request in self.images if request not in gone]
        self.encoded = [entry for entry in self.encoded if entry[0] not in gone]

    def next_image(self, look_due: bool) -> Request | None:
        """The next image of a question to encode; by turns with looks that are due."""
        self.images = [request for request in self.images if not request.reply.done()]
        if not self.images or (look_due and not self._image_next):
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
        arrived_s = slot.arrived_s
        return Look(camera, slot, *slot.take(now), arrived_s, wanted)

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
        requests = [
            request
            for request in self.waiting
            if self.slots.get(request.camera) is failed and not failed.can_hold(request.needs)
        ]
        self.remove(requests)
        return requests

    def _check_queue(self, requests: list[Request]) -> None:
        count = sum(r.rank[0] < CAPTION and not r.reply.done() for r in self.waiting)
        if count + len(requests) > self.queue_size:
            raise BusyError(f'{count} questions are waiting already; ask again later')

    def _admit(self, request: Request, newest: bool) -> None:
        request.named = bool(request.camera)
        request.camera = request.camera or next(iter(self.slots), '')
        slot = self.slots.get(request.camera)
        if request.image is not None or request.stamp_ns:
            return
        if slot is None:
            if request.question.session and not request.named:
                return  # it may be about an image of its own
            raise no_image(request.camera)
        # Which camera a conversation is about shows when it begins, if that is not said.
        known = request.named or not request.question.session
        if newest or (known and self.must_look(request.question, slot)):
            request.needs = slot.shown
            request.waits = slot.held < slot.shown
        if slot.failure and not slot.can_hold(request.needs):
            raise slot.failure.with_traceback(None)  # which would grow with every question

    def must_look(self, question: Question, slot: CameraSlot) -> bool:
        """Whether a question needs a newer frame of a camera than the one that is held."""
        if slot.held_frame is None or self.on_demand:
            return True
        return self.is_old(question, slot)
