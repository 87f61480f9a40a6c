"""The engine: frames in, answers out. Every call comes from one thread at a time.

`encode` alone may run in a second thread beside the rest: it touches the vision encoder only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobilevlm_ros.engine import errors, prompt
from mobilevlm_ros.engine.bundle import Bundle, load_bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.encoder import VisionEncoder, create_encoder
from mobilevlm_ros.engine.generation import Cancelled, Generation, Limits, never
from mobilevlm_ros.engine.llm import LanguageModel, create_llm
from mobilevlm_ros.engine.preprocess import Preprocessor
from mobilevlm_ros.engine.sampling import Sampler, create_sampler
from mobilevlm_ros.engine.sequences import HeldFrame, Sequences
from mobilevlm_ros.engine.timing import Arrival, PromptSize, Stopwatch, ms_since
from mobilevlm_ros.engine.types import Answer, Chunk, Floats, Frame, Question, Timing

LONGEST_PIECE = 64  # bytes of text that one token may stand for; real vocabularies stay below


@dataclass(frozen=True, slots=True, eq=False)
class EncodedFrame:
    """A frame and its visual tokens, not yet in the language model's cache."""

    frame: Frame
    visual: Floats  # (tokens, width)
    timing: Timing
    at: float = 0.0  # when it was encoded, on time.perf_counter


class Engine:
    """Looks at frames and answers questions about the newest one of each camera."""

    def __init__(
        self,
        bundle: Bundle,
        encoder: VisionEncoder,
        llm: LanguageModel,
        config: EngineConfig | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Decode the prompt head, once for all.

        Args:
            bundle: the model's description.
            encoder: its vision encoder.
            llm: its language model.
            config: settings.
            clock: what frames' stamps are compared with; nanoseconds.
        """
        _check_width(bundle, llm)
        head = prompt.head_tokens(bundle.prompt, llm.tokenise, llm.bos)
        _check_room(bundle, llm, len(head))
        self.bundle = bundle
        self.config = config or EngineConfig()
        self.backend = f'{encoder.name}, {llm.name}'
        self._encoder = encoder
        self._llm = llm
        self._clock = clock
        self._sequences = Sequences(llm, head, self.config.held_frames)
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
        age_ms = self.age_s(frame) * 1e3
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
        self._check_open()
        begin = time.perf_counter()
        held = self._sequences.hold(encoded.frame, encoded.visual)
        elapsed = ms_since(begin)
        return replace(
            encoded.timing,
            prefill_ms=elapsed,
            total_ms=encoded.timing.total_ms + elapsed,
            visual_tokens=held.visual_tokens,
            prompt_tokens=self._sequences.head_tokens,
            reused_tokens=self._sequences.head_tokens,
        )

    def ask(self, question: Question, camera: str = '') -> Answer:
        """Answer a question about the held frame of a camera; of the newest, if none is named."""
        return last(self.stream(question, camera))

    def stream(
        self,
        question: Question,
        camera: str = '',
        *,
        cancelled: Cancelled = never,
        arrival: Arrival | None = None,
    ) -> Iterator[Chunk | Answer]:
        """Answer piece by piece; the whole answer comes last.

        Args:
            question: what to answer.
            camera: whose held frame it is about; empty: the newest one.
            cancelled: asked before each token whether to end.
            arrival: when the question came, if it had to wait.
        """
        self._check_open()
        stopwatch = Stopwatch(arrival or Arrival())
        held = self._find(question, camera)
        stopwatch.image_age_ms = self.age_s(held.frame) * 1e3
        tokens = self._question_tokens(question, held)
        limits = self._limits(question, stopwatch.arrival.at, cancelled)
        limits.check()
        with self._sequences.scratch(held) as sequence:
            logits = self._llm.decode(sequence, tokens)
            stopwatch.prefilled = time.perf_counter()
            generation = Generation(self._llm, sequence, self._sampler(question), limits)
            yield from generation.run(logits)
        size = PromptSize(self._sequences.head_tokens, held.visual_tokens, len(tokens))
        yield self._answer(question, held.frame, generation, stopwatch.timing(size, generation))

    def age_s(self, frame: Frame) -> float:
        """Seconds since the frame was taken; zero if that is not known."""
        return max(0.0, (self._clock() - frame.stamp_ns) / 1e9) if frame.stamp_ns else 0.0

    def max_age_s(self, question: Question) -> float:
        """The age up to which a frame may be to answer this question; infinite for any."""
        return question.max_age_s or self.config.max_age_s or math.inf

    def close(self) -> None:
        """Free both models. Nothing may be asked afterwards."""
        if not self._closed:
            self._closed = True
            self._encoder.close()
            self._llm.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise errors.ClosedError('the engine is closed; open a new one')

    def _find(self, question: Question, camera: str) -> HeldFrame:
        held = self._sequences.find(camera)
        if held is None:
            raise errors.no_image(camera)
        age_s, most_s = self.age_s(held.frame), self.max_age_s(question)
        if age_s > most_s:
            raise errors.StaleImageError(
                f'the image is {age_s:.2f} s old and max_age is {most_s:g} s; '
                'check that the camera is publishing, or allow an older image'
            )
        return held

    def _question_tokens(self, question: Question, held: HeldFrame) -> list[int]:
        before = self._sequences.head_tokens + held.visual_tokens
        room = self._llm.context_length - before - 1  # one token at least for the answer
        too_long = f'do not fit; there is room for {room} tokens: shorten the question'
        if len(question.text) > room * LONGEST_PIECE:  # spares the tokeniser megabytes of text
            raise errors.TooLongError(f'{len(question.text)} characters {too_long}')
        tokens = prompt.question_tokens(self.bundle.prompt, question.text, self._llm.tokenise)
        if len(tokens) > room:
            raise errors.TooLongError(f'{len(tokens)} tokens {too_long}')
        return tokens

    def _limits(self, question: Question, arrived: float, cancelled: Cancelled) -> Limits:
        return Limits(
            max_tokens=question.max_tokens or self.config.max_tokens,
            stop=(*self.bundle.prompt.stop, *question.stop),
            deadline=arrived + (question.deadline_s or self.config.deadline_s or math.inf),
            cancelled=cancelled,
        )

    def _sampler(self, question: Question) -> Sampler:
        temperature = question.temperature or self.config.temperature
        return create_sampler(temperature, question.top_p or self.config.top_p, question.seed)

    def _answer(
        self, question: Question, frame: Frame, generation: Generation, timing: Timing
    ) -> Answer:
        return Answer(
            text=generation.text,
            question=question.text,
            finish_reason=generation.finish_reason,
            timing=timing,
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            frame_id=frame.frame_id,
            model=self.bundle.name,
            backend=self.backend,
        )


def _check_width(bundle: Bundle, llm: LanguageModel) -> None:
    if llm.width != bundle.vision.width:
        raise errors.BundleError(
            f'{bundle.name}: the language model takes embeddings of width {llm.width}, the '
            f'vision encoder makes {bundle.vision.width}; these files do not belong together'
        )


def _check_room(bundle: Bundle, llm: LanguageModel, head: int) -> None:
    needed = head + bundle.vision.visual_tokens + 2  # one token at least to ask and to answer
    if llm.context_length < needed:
        raise errors.ConfigError(
            f'context_length is {llm.context_length}; prompt head and image take {needed - 2} '
            'tokens of it: raise it, to leave room for questions and answers'
        )


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
    sequences = Sequences.needed(config.held_frames)
    # A question may still be about a frame that is no longer held.
    shared = (config.held_frames + 1) * bundle.vision.visual_tokens
    with ExitStack() as opened:
        encoder = create_encoder(bundle, config)
        opened.callback(encoder.close)
        llm = create_llm(bundle, config, sequences, shared)
        opened.callback(llm.close)
        engine = Engine(bundle, encoder, llm, config, clock)
        opened.pop_all()
    return engine
