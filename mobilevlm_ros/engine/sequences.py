"""Which sequence of the KV cache serves what.

Sequence 0 is the prompt head, decoded once. Each held frame has a sequence of its own that begins
as a copy of the head and goes on with the visual tokens; each question has one that begins as a
copy of its frame's. Copies share their cells, so that nothing is decoded or stored twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mobilevlm_ros.engine.errors import BusyError, ConfigError
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.types import Floats, Frame

HEAD = 0
QUESTIONS = 2  # the engine itself asks one at a time; a stream may be left open beside it


@dataclass(frozen=True, slots=True)
class HeldFrame:
    """A frame whose visual tokens are in the cache."""

    frame: Frame
    sequence: int
    visual_tokens: int


class Sequences:
    """Hands out the sequences of a language model and takes them back."""

    @staticmethod
    def needed(held_frames: int) -> int:
        """How many sequences: the head, held frames, and a few questions at once."""
        return 1 + held_frames + QUESTIONS

    def __init__(self, llm: LanguageModel, head: list[int], held_frames: int) -> None:
        self._llm = llm
        self._free = list(range(HEAD + 1, llm.sequences))
        self._held_frames = held_frames
        self._frames: dict[str, HeldFrame] = {}  # the newest at the end
        llm.decode(HEAD, head)

    @property
    def head_tokens(self) -> int:
        """Tokens of the prompt head."""
        return self._llm.length(HEAD)

    @property
    def free(self) -> int:
        """Sequences that nothing uses."""
        return len(self._free)

    def hold(self, frame: Frame, visual: Floats) -> HeldFrame:
        """Put a frame into the cache, in the place of its camera's last one.

        The last one goes first, so that the new one gets its cells: with one camera, sums are
        then rounded exactly as in a fresh cache.
        """
        self._check_room(frame.camera)
        if last := self._frames.pop(frame.camera, None):
            self.give_back(last.sequence)
        sequence = self.take(HEAD)
        try:
            self._llm.decode_embeddings(sequence, visual)
        except BaseException:
            self.give_back(sequence)
            raise
        held = self._frames[frame.camera] = HeldFrame(frame, sequence, len(visual))
        return held

    def find(self, camera: str) -> HeldFrame | None:
        """The frame of a camera; the newest of all, if no camera is named."""
        if not camera:
            return next(reversed(self._frames.values()), None)
        return self._frames.get(camera)

    @contextmanager
    def scratch(self, held: HeldFrame) -> Iterator[int]:
        """A sequence that begins as the frame's, and is removed when done."""
        sequence = self.take(held.sequence)
        try:
            yield sequence
        finally:
            self.give_back(sequence)

    def _check_room(self, camera: str) -> None:
        if camera not in self._frames and len(self._frames) >= self._held_frames:
            raise ConfigError(
                f'there is no room to hold a frame of camera {camera!r} beside those of '
                f'{", ".join(map(repr, self._frames))}; raise held_frames'
            )

    def take(self, source: int) -> int:
        """An empty sequence, made to begin as another one is now; it must be given back."""
        if not self._free:
            raise BusyError('too many answers are being generated at once; finish or close one')
        sequence = self._free.pop()
        self._llm.copy(source, sequence)
        return sequence

    def give_back(self, sequence: int) -> None:
        """Empty a sequence that was taken, for others to take."""
        self._llm.remove(sequence)
        self._free.append(sequence)
