"""What the tests of the engine and of its worker share beside fixtures."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mobilevlm_ros.engine import (
    Answer,
    Chunk,
    Engine,
    EngineConfig,
    EngineWorker,
    Frame,
    Question,
    create_fake_engine,
)
from mobilevlm_ros.engine.fake import Reply, describe
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.patience import PATIENCE_S as WAIT_S
from tests.patience import until

__all__ = [
    'AHEAD', 'NEAR', 'SECOND', 'WAIT_S', 'Clock', 'Clocks', 'Gate', 'LoadLlama', 'MakeFrame', 'Q',
    'Start', 'Views', 'assert_near', 'error_of', 'grey', 'halves', 'once', 'show', 'slow',
    'text_of', 'until',
]  # fmt: skip

MakeFrame = Callable[..., Frame]
Start = Callable[..., EngineWorker]
LoadLlama = Callable[..., LlamaCppLanguageModel]
Q = Question('Q')
SECOND = 1_000_000_000  # ns
AHEAD = Question('What is ahead?', max_tokens=8)


def grey(level: int, **fields: Any) -> Frame:
    return Frame(np.full((8, 8, 3), level, np.uint8), **fields)


def halves(dark: int, bright: int) -> Frame:
    """The left half of one level, the right one of another."""
    frame = grey(dark)
    frame.pixels[:, 4:] = bright
    return frame


def error_of(future: Future[Answer]) -> BaseException | None:
    return future.exception(WAIT_S)


def text_of(future: Future[Answer]) -> str:
    return future.result(WAIT_S).text


class Gate:
    """Holds up a call of the engine until it is opened."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._open = threading.Event()
        self.entered = threading.Event()

    def __call__(self, *arguments: Any) -> Any:
        self.entered.set()
        assert self._open.wait(WAIT_S)
        return self._call(*arguments)

    def open(self) -> None:
        self._open.set()


class Clock:
    """The engine's steady clock, which a test may set forward instead of waiting."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return self._now() + self.ahead_s


def once(act: Callable[[], object]) -> Callable[[Chunk], None]:
    """Acts at the first piece of an answer: between two batches, while the answer goes on."""
    pieces: list[Chunk] = []

    def on_chunk(chunk: Chunk) -> None:
        pieces.append(chunk)
        if len(pieces) == 1:
            act()

    return on_chunk


def slow(token_s: float, **settings: Any) -> Engine:
    """An engine whose every token takes so many seconds."""
    engine = create_fake_engine(EngineConfig(**settings))
    engine.language.llm._delay_s = token_s  # type: ignore[attr-defined]
    return engine


NEAR = 0.1  # kernels may round differently by batch size; logits of the tiny model span 17


def assert_near(found: np.ndarray, expected: np.ndarray, near: float = NEAR) -> None:
    """Rows of logits that are equal but for rounding; so is the token, where the margin allows."""
    np.testing.assert_allclose(found, expected, atol=near, rtol=0)
    best = np.partition(expected, -2, axis=-1)[..., -2:]
    clear = best[..., 1] - best[..., 0] > 2 * near
    assert clear.any()
    assert np.array_equal(found.argmax(-1)[clear], expected.argmax(-1)[clear])


@dataclass
class Clocks:
    """What stamps are compared with, and what arrival is measured on."""

    now_ns: int = 100_000 * SECOND
    now_s: float = 1.0

    def engine(self, reply: Reply = describe, **settings: object) -> Engine:
        return create_fake_engine(
            EngineConfig(**settings),  # type: ignore[arg-type]
            reply,
            clock=lambda: self.now_ns,
            steady_s=lambda: self.now_s,
        )

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)
        self.now_s += seconds


@dataclass
class Views:
    """A Gate that counts what it was shown, and finds frames of equal brightness unchanged."""

    seen: Counter[str] = field(default_factory=Counter)  # by camera
    _looked: dict[str, int] = field(default_factory=dict)

    def __call__(self, frame: Frame, wanted: bool) -> bool:
        level = int(frame.pixels[0, 0, 0])
        differs = self._looked.get(frame.camera) != level
        self._looked[frame.camera] = level
        self.seen[frame.camera] += 1
        return differs or wanted


def show(worker: EngineWorker, views: Views, frame: Frame) -> None:
    """Show a frame, and wait until the vision thread is done with it: it takes one at a time."""
    for one in (frame, grey(10, camera='other')):
        seen = views.seen[one.camera]
        worker.show(one)
        until(lambda camera=one.camera, seen=seen: views.seen[camera] > seen)  # type: ignore[misc]
