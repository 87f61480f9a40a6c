"""What the tests of the engine and of its worker share beside fixtures."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
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
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.patience import PATIENCE_S as WAIT_S
from tests.patience import until

__all__ = [
    'AHEAD', 'NEAR', 'WAIT_S', 'Clock', 'Gate', 'LoadLlama', 'MakeFrame', 'Q', 'Start',
    'assert_near', 'error_of', 'grey', 'once', 'slow', 'text_of', 'until',
]  # fmt: skip

MakeFrame = Callable[..., Frame]
Start = Callable[..., EngineWorker]
LoadLlama = Callable[..., LlamaCppLanguageModel]
Q = Question('Q')
AHEAD = Question('What is ahead?', max_tokens=8)


def grey(level: int, **fields: Any) -> Frame:
    return Frame(np.full((8, 8, 3), level, np.uint8), **fields)


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
