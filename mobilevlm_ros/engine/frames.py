"""Frames whose visual tokens are in the KV cache."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from mobilevlm_ros.engine.sequences import HEAD, SequencePool
from mobilevlm_ros.engine.steps import Embeddings, Task
from mobilevlm_ros.engine.types import Floats, Frame, Header

MOST_HEADERS = 64  # of one frame that are remembered


@dataclass(slots=True, eq=False)
class HeldFrame:
    """A frame that questions can be asked about without decoding it again."""

    frame: Frame
    sequence: int
    visual_tokens: int
    own: bool = False  # for a single question or session, and no camera's newest
    brought: bool = field(default=False, init=False)  # it came with a question, from no camera
    look_s: float = field(default=0.0, init=False)  # that encoding and holding it took, no more
    age_s: float = field(default=0.0, init=False)  # of the frame, when the look at it began
    latest: Frame = field(init=False)  # the newest that shows the same: itself, or one unchanged
    users: int = field(default=0, init=False)  # questions and sessions
    used_at: int = field(default=0, init=False)  # counts looks and uses
    _headers: dict[int, Header] = field(default_factory=dict, init=False)  # by stamp, in answers

    def __post_init__(self) -> None:
        self.latest = self.frame
        self._headers[self.frame.stamp_ns] = self.frame.header

    def confirm(self, latest: Frame) -> None:
        """Note a newer frame that shows the same. No look was made at it: all its age counts."""
        if latest is not self.frame:
            self.latest, self.look_s = latest, 0.0

    def header(self, stamp_ns: int = 0) -> Header:
        """The header that an answer carries: the latest, or the one of a stamp that was asked for.

        The latest is kept, so that questions can be asked about the stamp of an answer.
        """
        header = self.find_header(stamp_ns)
        self._headers[header.stamp_ns] = header
        if len(self._headers) > MOST_HEADERS:
            del self._headers[next(itertools.islice(self._headers, 1, None))]  # not its own
        return header

    def find_header(self, stamp_ns: int = 0) -> Header:
        """The same header; it is not kept."""
        latest = self.latest.header
        return self._headers.get(stamp_ns, latest) if stamp_ns else latest

    def find_frame(self, stamp_ns: int = 0) -> Frame | None:
        """The frame of a stamp, or the latest; None: its pixels are not kept."""
        known = (self.latest, self.frame)
        return next((frame for frame in known if stamp_ns in (0, frame.stamp_ns)), None)

    def shows(self, camera: str, stamp_ns: int) -> bool:
        """Whether it is a camera's frame of this stamp, or an unchanged one; no name: of any."""
        known = stamp_ns in self._headers or stamp_ns == self.latest.stamp_ns
        return known and not self.own and camera in ('', self.frame.camera)


class HeldFrames:
    """The newest frame of each camera, and those that something is still about.

    With more cameras than there is room for, the frame goes that nobody has asked about longest.
    """

    def __init__(self, pool: SequencePool, most: int) -> None:
        self._pool = pool
        self._most = most
        self._newest: dict[str, HeldFrame] = {}  # by camera, the last one held at the end
        self._older: list[HeldFrame] = []  # in use
        self._clock = itertools.count(1)
        self._coming = 0  # visual tokens of those that are being decoded

    @property
    def count(self) -> int:
        """Frames held."""
        return len(self._newest) + len(self._older)

    @property
    def cells(self) -> int:
        """Cells of all of them, and of those that are coming."""
        return self._coming + sum(held.visual_tokens for held in self._all())

    def find(self, camera: str, stamp_ns: int = 0) -> HeldFrame | None:
        """A camera's newest frame, or its one with this stamp; no name: of any camera."""
        if stamp_ns:
            return next((held for held in self._all() if held.shows(camera, stamp_ns)), None)
        if camera:
            return self._newest.get(camera)
        return next(reversed(self._newest.values()), None)

    def stamps_ns(self, camera: str) -> set[int]:
        """Of the frames of a camera that can be asked for; no name: of any camera."""
        return {
            held.latest.stamp_ns
            for held in self._all()
            if held.shows(camera, held.latest.stamp_ns) and held.latest.stamp_ns
        }

    def use(self, held: HeldFrame) -> None:
        """Keep a frame until it is released as often."""
        held.users += 1
        held.used_at = next(self._clock)

    def release(self, held: HeldFrame) -> None:
        """Undo one `use`; a frame that nothing is about any more goes."""
        held.users -= 1
        if not held.users and held in self._older:
            self._older.remove(held)
            self._pool.give_back(held.sequence)

    def retire(self, camera: str) -> None:
        """Let a camera's newest frame go, at once unless something is about it."""
        if held := self._newest.pop(camera, None):
            if held.users:
                self._older.append(held)
            else:
                self._pool.give_back(held.sequence)

    def drop_unused(self) -> bool:
        """Let the frame go that nobody has asked about longest; false if all are in use."""
        unused = [held for held in self._newest.values() if not held.users]
        if unused:
            self.retire(min(unused, key=lambda held: held.used_at).frame.camera)
        return bool(unused)

    def hold(self, frame: Frame, visual: Floats, own: bool = False) -> Task[HeldFrame]:
        """Put a frame into the cache, and then in the place of its camera's last one.

        Args:
            frame: the image.
            visual: its visual tokens, float32 (n, width).
            own: for one question or session and no camera's newest; the caller releases it.
        """
        sequence = self._pool.take(HEAD)
        self._coming += len(visual)
        try:
            yield Embeddings(sequence, visual)
        except BaseException:
            self._pool.give_back(sequence)
            raise
        finally:
            self._coming -= len(visual)
        held = HeldFrame(frame, sequence, len(visual), own)
        if own:
            held.users = 1
            self._older.append(held)
        else:
            self._replace(held)
        return held

    def _all(self) -> list[HeldFrame]:
        return [*self._newest.values(), *self._older]

    def _replace(self, held: HeldFrame) -> None:
        self.retire(held.frame.camera)
        while len(self._newest) >= self._most and self.drop_unused():
            pass
        held.used_at = next(self._clock)
        self._newest[held.frame.camera] = held
