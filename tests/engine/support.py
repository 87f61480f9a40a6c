"""What the tests of the engine and of its worker share beside fixtures."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from mobilevlm_ros.engine import (
    Answer,
    Engine,
    EngineConfig,
    EngineWorker,
    Frame,
    Question,
    create_fake_engine,
)
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel

MakeFrame = Callable[..., Frame]
Start = Callable[..., EngineWorker]
LoadLlama = Callable[..., LlamaCppLanguageModel]
WAIT_S = 30.0  # machines may be busy
Q = Question('Q')
AHEAD = Question('What is ahead?', max_tokens=8)


def grey(level: int, **fields: Any) -> Frame:
    return Frame(np.full((8, 8, 3), level, np.uint8), **fields)


def error_of(future: Future[Answer]) -> BaseException | None:
    return future.exception(WAIT_S)


def text_of(future: Future[Answer]) -> str:
    return future.result(WAIT_S).text


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, 'it did not happen in time'
        time.sleep(0.002)


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
