"""Our engine, driven as a node drives it: through its worker, with nothing spared."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilevlm_ros.bench import frames
from mobilevlm_ros.engine import (
    Answer,
    EngineConfig,
    EngineWorker,
    Frame,
    Question,
    Timing,
    load_bundle,
    open_engine,
)

ANSWER = 64  # tokens
CAMERA = 'front'
CAMERA_HZ = 30.0
FIRST_CAPTION_S = 60.0  # at most
PAD = 'a '  # makes a question longer, by one or two tokens
TYPED = [Question(text, choices=frames.CHOICES) for text in frames.TYPED]
STILLS = 16  # of the same view with other noise


class Ours:
    """An engine in its worker, and one camera."""

    def __init__(self, bundle: Path, config: EngineConfig) -> None:
        begin = time.perf_counter()
        engine = open_engine(bundle, config)
        self._load_s = time.perf_counter() - begin
        self._caption = load_bundle(bundle, verify=False).caption_question
        self._worker = EngineWorker(engine)
        self._number = 0
        self.new_frame()

    def encode(self) -> float:
        """Milliseconds to turn a frame into visual tokens."""
        self._show()
        return self._ask(self._question(), newest=True).timing.encode_ms

    def new_frame(self) -> float:
        """Milliseconds from a frame to the first token about it."""
        begin = time.perf_counter()
        self._show()
        self._ask(self._question(), newest=True)
        return _ms(begin)

    def held_frame(self) -> float:
        """Milliseconds from a question to its first token."""
        begin = time.perf_counter()
        self._ask(self._question())
        return _ms(begin)

    def four_questions(self) -> float:
        """Milliseconds from a frame to four typed answers about it."""
        begin = time.perf_counter()
        self._show()
        self._ask_four(newest=True)
        return _ms(begin)

    def four_questions_held(self) -> float:
        """The same of the frame that is held."""
        begin = time.perf_counter()
        self._ask_four()
        return _ms(begin)

    def answer(self) -> float:
        """Milliseconds to an answer of 64 tokens."""
        begin = time.perf_counter()
        self._ask(self._long())
        return _ms(begin)

    def decode(self) -> float:
        """Tokens a second from the first to the 64th."""
        return _rate(self._ask(self._long()).timing)

    def looking(self) -> float:
        """Milliseconds to the first token about a held frame, while frames come at 30 Hz."""
        with self._stream():
            time.sleep(2 / CAMERA_HZ)
            return self.held_frame()

    def prefill_rate(self) -> float:
        """Tokens a second of visual tokens and question, on a new frame."""
        self._show()
        timing = self._ask(self._question(), newest=True).timing
        tokens = timing.visual_tokens + timing.prompt_tokens - timing.reused_tokens
        return tokens / timing.prefill_ms * 1e3

    def load_seconds(self) -> float:
        """How long opening the engine took."""
        return self._load_s

    def prompt_size(self) -> tuple[int, int]:
        """Visual tokens, and all tokens of a prompt."""
        timing = self._ask(self._question()).timing
        return timing.visual_tokens, timing.visual_tokens + timing.prompt_tokens

    def held_frames(self, count: int) -> float:
        """Milliseconds to the first token about one of so many held frames."""
        for index in range(count):
            self._show(f'camera {index}')
            self._ask(self._question(), f'camera {index}', newest=True)
        begin = time.perf_counter()
        self._ask(self._question(), 'camera 0')
        return _ms(begin)

    def in_flight(self, count: int) -> tuple[float, float]:
        """Long answers at once: milliseconds until all have ended, and tokens a second."""
        begin = time.perf_counter()
        pending = [self._submit(self._long()) for _ in range(count)]
        answers = [future.result() for future in pending]
        tokens = sum(answer.timing.generated_tokens for answer in answers)
        return _ms(begin), tokens / (time.perf_counter() - begin)

    def context(self, words: int) -> tuple[int, float, float]:
        """A longer question: tokens before the answer, ms to its first one, tokens a second."""
        text = PAD * words + self._caption
        timing = self._ask(replace(self._long(), text=text)).timing
        tokens = timing.visual_tokens + timing.prompt_tokens
        return tokens, timing.first_token_ms, _rate(timing)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _show(self, camera: str = CAMERA) -> None:
        self._number += 1
        self._worker.show(Frame(frames.make_frame(self._number), camera=camera))

    def _question(self) -> Question:
        self._number += 1
        return Question(frames.question(self._number), max_tokens=1)

    def _long(self) -> Question:
        return Question(self._caption, max_tokens=ANSWER)

    def _submit(
        self, question: Question, camera: str = CAMERA, newest: bool = False
    ) -> Future[Answer]:
        return self._worker.submit(question, camera, newest)

    def _ask(self, question: Question, camera: str = CAMERA, newest: bool = False) -> Answer:
        return self._submit(question, camera, newest).result()

    def _ask_four(self, newest: bool = False) -> None:
        for reply in self._worker.submit_all(TYPED, newest=newest):
            reply.result()

    @contextmanager
    def _stream(self) -> Iterator[None]:
        """Show frames from a thread."""
        ended = threading.Event()
        thread = threading.Thread(target=self._feed, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._ask(self._question(), newest=True)  # nothing is left to be done

    def _feed(self, ended: threading.Event) -> None:
        while not ended.wait(1 / CAMERA_HZ):
            self._show()


class StaticView:
    """Our engine with captions on, before a camera that sees no change."""

    def __init__(self, bundle: Path, config: EngineConfig) -> None:
        self.captions = 0
        # Made before the clock runs: to make noise takes more than to look at it.
        self._frames = [Frame(frames.make_still(n), camera=CAMERA) for n in range(STILLS)]
        self._worker = EngineWorker(open_engine(bundle, config), self._count)

    def static_view(self, seconds: float, rate_hz: float) -> float:
        """CPU seconds a minute; the first look and caption are not counted."""
        given_up = time.perf_counter() + FIRST_CAPTION_S
        while not self.captions and time.perf_counter() < given_up:
            self._show_for(1 / rate_hz, rate_hz)
        begin, used = time.perf_counter(), time.process_time()
        self._show_for(seconds, rate_hz)
        return 60 * (time.process_time() - used) / (time.perf_counter() - begin)

    def close(self) -> None:
        """End the worker."""
        self._worker.close()

    def _count(self, *_: Any) -> None:
        self.captions += 1

    def _show_for(self, seconds: float, rate_hz: float) -> None:
        for number in range(max(1, round(seconds * rate_hz))):
            self._worker.show(self._frames[number % STILLS])
            time.sleep(1 / rate_hz)


def _rate(timing: Timing) -> float:
    """Tokens a second behind the first one; zero if there was no other."""
    return (timing.generated_tokens - 1) / max(timing.decode_ms, 1e-3) * 1e3


def _ms(begin: float) -> float:
    return (time.perf_counter() - begin) * 1e3
