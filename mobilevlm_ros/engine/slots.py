"""What the worker knows of each camera: the newest frame, and how far it has got.

Frames of a camera are numbered from 1 as they are shown. No locks here: the worker has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from mobilevlm_ros.engine.engine import EncodedFrame
from mobilevlm_ros.engine.errors import MobileVlmError
from mobilevlm_ros.engine.types import Frame, Timing

FrameSource = Callable[[], Frame]  # may raise ImageError


@dataclass(slots=True)
class CameraSlot:
    """One camera. A new frame replaces an older one that nobody has begun to encode."""

    period_s: float = 0.0  # least time between two looks; infinite: only when demanded
    shown: int = 0  # number of the newest frame shown
    taken: int = 0  # number of the newest that was taken to be encoded
    held: int = 0  # number of the frame that the engine holds
    source: FrameSource | None = None  # of the newest frame shown
    arrived_s: float = 0.0  # when that was shown, on freshness.steady_s
    encoding: int = 0  # number of the newest frame that went to the encoder
    unchanged: tuple[int, Frame] | None = None  # that frame's number, a newer one of the same view
    encoded: tuple[int, EncodedFrame] | None = None  # with its number, until it is held
    held_frame: Frame | None = None
    looked: Timing | None = None  # how long the look at the held frame took
    taken_at: float = -math.inf  # on time.perf_counter, as the following ones
    encoded_at: float = -math.inf  # the held frame
    held_at: float = -math.inf
    skipped: int = 0  # number of the last frame that did not differ enough to be looked at
    failed: int = 0  # number of the last frame that could not be looked at
    failure: MobileVlmError | None = None  # and why

    def show(self, source: FrameSource, arrived_s: float = 0.0) -> None:
        """Store what makes a frame in place of the last one."""
        self.source, self.arrived_s = source, arrived_s
        self.shown += 1

    def due(self, wanted: int) -> float:
        """When to take the frame to be encoded, given the number that questions wait for.

        Nothing is encoded ahead while the last frame still waits to be held.
        """
        if self.taken == self.shown:
            return math.inf
        if wanted > self.taken:
            return -math.inf
        ahead = self.period_s < math.inf and self.encoded is None and self.skipped < self.shown
        return self.taken_at + self.period_s if ahead else math.inf

    def take(self, now: float) -> None:
        """Note that the newest frame is to be encoded."""
        self.taken = self.shown
        self.taken_at = now

    def keep(self, number: int, frame: Frame) -> None:
        """Keep the pixels of a frame that was decoded, while it is the newest."""
        if number == self.shown:
            self.source = lambda: frame

    def skip(self, number: int, frame: Frame) -> None:
        """Put back a frame that is not worth a look; a question may still want it."""
        self.skipped = number
        self.taken = number - 1
        self.unchanged = self.encoding, frame

    @property
    def latest(self) -> Frame | None:
        """The newest frame that shows what the held one shows: itself, or one found unchanged."""
        if self.unchanged is not None and self.unchanged[0] == self.held:
            return self.unchanged[1]
        return self.held_frame

    def unchanged_s(self, now: float) -> float:
        """How long ago the held frame was encoded, if newer ones show the same; 0: none does."""
        return now - self.encoded_at if self.latest is not self.held_frame else 0.0

    @property
    def coming(self) -> bool:
        """Whether a newer frame than the held one is there."""
        return self.shown > max(self.held, self.failed)

    def hold(self, number: int, encoded: EncodedFrame, looked: Timing, now: float) -> None:
        """Note that the engine holds this frame now."""
        self.held, self.held_frame, self.looked = number, encoded.frame, looked
        self.encoded_at, self.held_at = encoded.at, now

    def lose(self) -> None:
        """Note that the held frame made way; the newest one shown can be looked at again."""
        if self.held == self.shown:
            self.held = self.taken = self.shown - 1
        self.held_frame = None

    def looked_since(self, arrived: float) -> Timing | None:
        """How long the look at the held frame took, without what was over when a question came."""
        if self.looked is None:
            return None
        encode_ms = min(self.looked.encode_ms, max(0.0, (self.encoded_at - arrived) * 1e3))
        prefill_ms = min(self.looked.prefill_ms, max(0.0, (self.held_at - arrived) * 1e3))
        total_ms = encode_ms + prefill_ms
        return replace(self.looked, encode_ms=encode_ms, prefill_ms=prefill_ms, total_ms=total_ms)

    def fail(self, number: int, failure: MobileVlmError) -> None:
        """Note that this frame could not be looked at."""
        self.taken = max(self.taken, number)
        if number > self.failed:
            self.failed, self.failure = number, failure

    def can_hold(self, number: int) -> bool:
        """Whether this frame, or a newer one, is held or still may be."""
        return number <= self.held or number > self.failed
