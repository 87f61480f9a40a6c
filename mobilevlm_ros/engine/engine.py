"""The engine: frames in, answers out. Every call comes from one thread at a time.

`encode` alone may run in a second thread beside the rest: it touches the vision encoder only.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mobilevlm_ros.engine import errors
from mobilevlm_ros.engine.answering import Asked
from mobilevlm_ros.engine.budget import check_budget, plan_memory, release_freed_memory
from mobilevlm_ros.engine.bundle import Bundle, load_bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.encoder import VisionEncoder, create_encoder
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.freshness import Freshness, steady_s
from mobilevlm_ros.engine.generation import Patience, never
from mobilevlm_ros.engine.language import Language
from mobilevlm_ros.engine.llm import LanguageModel, create_llm, shared_cells
from mobilevlm_ros.engine.preprocess import Preprocessor
from mobilevlm_ros.engine.regions import crop
from mobilevlm_ros.engine.sequences import sequences_needed
from mobilevlm_ros.engine.timing import Arrival, ms_since
from mobilevlm_ros.engine.types import WHOLE, Answer, Chunk, Floats, Frame, Question, Timing


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFrame:
    """A frame and its visual tokens, not yet in the language model's cache."""

    frame: Frame
    visual: Floats  # (tokens, width)
    timing: Timing
    at: float = 0.0  # when it was encoded, on time.perf_counter


@dataclass(slots=True, eq=False)
class Collected:
    """An Outcome that waits to be read."""

    patience: Patience = field(default_factory=Patience)
    results: deque[object] = field(default_factory=deque)
    error: Exception | None = None

    def succeed(self, result: object) -> None:
        """Keep the result behind what came before it."""
        self.results.append(result)

    def fail(self, error: Exception) -> None:
        """Keep the error."""
        self.error = error

    def interruption(self) -> Exception | None:
        """As patience has it."""
        return self.patience.interruption()


class Engine:
    """Looks at frames and answers questions about the newest one of each camera."""

    def __init__(
        self,
        bundle: Bundle,
        encoder: VisionEncoder,
        llm: LanguageModel,
        config: EngineConfig | None = None,
        clock: Callable[[], int] = time.time_ns,
        steady_s: Callable[[], float] = steady_s,
    ) -> None:
        """Decode the prompt head, once for all.

        Args:
            bundle: the model's description.
            encoder: its vision encoder.
            llm: its language model.
            config: settings.
            clock: what frames' stamps are compared with; nanoseconds.
            steady_s: what their arrival is measured on; seconds.
        """
        self.bundle = bundle
        self.config = config or EngineConfig()
        self.backend = f'{encoder.name}, {llm.name}'
        self.placement = llm.placement
        self.freshness = Freshness(clock, steady_s, self.config.max_age_s)
        age_s = self.freshness.age_s
        self.language = Language(bundle, llm, self.config, age_s, self.backend)
        self._encoder = encoder
        size = bundle.vision.image_size
        self._pixels = np.empty((1, 3, size, size), np.float32)
        self._preprocess = Preprocessor(bundle.vision)
        self._closed = False

    def look(self, frame: Frame) -> Timing:
        """Encode a frame and hold it ready for questions, in place of its camera's last one."""
        return self.hold(self.encode(frame))

    def encode(self, frame: Frame) -> EncodedFrame:
        """Turn a frame into visual tokens."""
        self._check_open()
        age_ms = self.freshness.age_s(frame.header) * 1e3
        begin = time.perf_counter()
        self._preprocess(frame.pixels, out=self._pixels[0])
        visual = self._encoder.encode(self._pixels)[0]
        if not np.isfinite(visual).all():
            raise errors.BackendError('the vision encoder returned values that are not finite')
        end = time.perf_counter()
        elapsed = (end - begin) * 1e3
        timing = Timing(image_age_ms=age_ms, encode_ms=elapsed, total_ms=elapsed)
        return EncodedFrame(frame, visual, timing, end)

    def hold(self, encoded: EncodedFrame) -> Timing:
        """Put an encoded frame into the language model's cache."""
        begin = time.perf_counter()
        self._hold(encoded)
        return self.looked(encoded, begin)

    def looked(self, encoded: EncodedFrame, begin: float) -> Timing:
        """The timing of a look that ends now, whose second part began on time.perf_counter."""
        elapsed = ms_since(begin)
        head = self.language.pool.head_tokens
        return replace(
            encoded.timing,
            prefill_ms=elapsed,
            total_ms=encoded.timing.total_ms + elapsed,
            visual_tokens=len(encoded.visual),
            prompt_tokens=head,
            reused_tokens=head,
        )

    def ask(self, question: Question, camera: str = '', frame: Frame | None = None) -> Answer:
        """Answer a question about the held frame of a camera; of the newest, if none is named."""
        return last(self.stream(question, camera, frame=frame))

    def stream(
        self,
        question: Question,
        camera: str = '',
        *,
        frame: Frame | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[Chunk | Answer]:
        """Answer piece by piece; the whole answer comes last.

        Args:
            question: what to answer.
            camera: whose held frame it is about; empty: the newest one.
            frame: an image to answer about in place of a held frame.
            cancelled: asked before each token whether to end.
        """
        self._check_open()
        arrival = Arrival()
        patience = Patience(self.deadline(question, arrival), cancelled)
        outcome = Collected(patience)
        asked = Asked(question, arrival, outcome.results.append)
        if end := patience.interruption():
            yield self.language.unanswered(
                question, arrival, end.finish_reason, camera, frame
            )
            return
        held = self._find(question, camera, frame)
        try:
            job = self.language.answer(asked, held, outcome)
        finally:
            if held.own:
                self.language.frames.release(held)
        if job is None:
            raise errors.BusyError('too many answers are in progress; finish or close one')
        try:
            yield from self._run(outcome)
        finally:
            self.language.scheduler.drop(job)

    def deadline(self, question: Question, arrival: Arrival) -> float:
        """When to end the answer, on time.perf_counter."""
        return arrival.at + (question.deadline_s or self.config.deadline_s or math.inf)

    def close(self) -> None:
        """Free both models. Nothing may be asked afterwards."""
        if not self._closed:
            self._closed = True
            self._encoder.close()
            self.language.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise errors.ClosedError('the engine is closed; open a new one')

    def _run(self, outcome: Collected) -> Iterator[Chunk | Answer]:
        """Run all that is in progress until this outcome is there."""
        while True:
            while outcome.results:
                part = outcome.results.popleft()
                assert isinstance(part, Chunk | Answer)
                yield part
                if isinstance(part, Answer):
                    return
            if outcome.error:
                raise outcome.error
            self._check_open()
            self.language.scheduler.tick()
            self.language.scheduler.deliver()

    def _hold(self, encoded: EncodedFrame, own: bool = False) -> HeldFrame:
        self._check_open()
        outcome = Collected()
        if self.language.hold(encoded.frame, encoded.visual, outcome, own) is None:
            raise errors.BusyError('too many frames are asked about; finish or close an answer')
        while not outcome.results:
            if outcome.error:
                raise outcome.error
            self.language.scheduler.tick()
            self.language.scheduler.deliver()
        held = outcome.results.popleft()
        assert isinstance(held, HeldFrame)
        return held

    def _find(self, question: Question, camera: str, frame: Frame | None) -> HeldFrame:
        """The held frame to answer about; one of its own where the question asks for that."""
        brought = frame is not None
        if frame is None:
            held = self._held_frame(question, camera)
            if question.roi == WHOLE:
                return held
            frame, brought = held.latest, held.brought
        held = self._hold(self.encode(crop(frame, question.roi)), own=True)
        held.brought = brought
        return held

    def _held_frame(self, question: Question, camera: str) -> HeldFrame:
        """What a conversation is about, if no camera is named; else the camera's newest."""
        language, session = self.language, question.session
        if not camera and (brought := language.find_brought(session)):
            return brought
        camera = camera or language.camera_of(session)
        held = language.frames.find(camera)
        if held is None:
            raise errors.no_image(camera)
        self.freshness.check(question, held.latest.header)
        return held


def last(parts: Iterator[Chunk | Answer]) -> Answer:
    """The answer at the end of a stream."""
    for part in parts:
        if isinstance(part, Answer):
            return part
    raise AssertionError('a stream ends with its answer')


def open_engine(
    path: Path | str,
    config: EngineConfig | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Engine:
    """Load a bundle and make an engine of it.

    Args:
        path: folder of the bundle.
        config: settings.
        clock: what frames' stamps are compared with; nanoseconds.
    """
    config = config or EngineConfig()
    bundle = load_bundle(path, config.verify)
    check_budget(plan_memory(bundle, config))
    with ExitStack() as opened:
        encoder = create_encoder(bundle, config)
        opened.callback(encoder.close)
        release_freed_memory()  # glibc keeps what loading has freed
        sequences, shared = sequences_needed(config), shared_cells(bundle, config)
        llm = create_llm(bundle, config, sequences, shared)
        opened.callback(llm.close)
        engine = Engine(bundle, encoder, llm, config, clock)
        opened.pop_all()
    return engine
