from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilevlm_ros.engine import (
    BackendError,
    BundleError,
    ClosedError,
    Engine,
    FakeEncoder,
    FakeLanguageModel,
    fake_bundle,
)
from tests.engine.support import AHEAD, MakeFrame, grey


def test_a_model_whose_parts_do_not_belong_together_is_refused(own_bundle: Path) -> None:
    bundle = fake_bundle()
    with pytest.raises(BundleError, match='of width 16, the vision encoder makes 8'):
        Engine(bundle, FakeEncoder(bundle.vision), FakeLanguageModel(width=16))


def test_an_encoder_gone_mad_is_an_error_and_not_an_answer(fake: Engine) -> None:
    fake._encoder.encode = lambda pixels: np.full((1, 4, 8), np.nan, np.float32)  # type: ignore
    with pytest.raises(BackendError, match='not finite'):
        fake.look(grey(1))


@pytest.mark.parametrize('temperature', [0.0, 1.0])
def test_a_language_model_gone_mad_is_an_error_and_not_an_answer(
    fake: Engine, temperature: float
) -> None:
    fake.look(grey(1))
    mad = [np.full((1, 258), np.nan, np.float32)]
    fake.language.llm.decode_parts = lambda *_: mad  # type: ignore[method-assign]
    with pytest.raises(BackendError, match='not finite; convert the model again'):
        fake.ask(replace(AHEAD, temperature=temperature))
    assert fake.language.pool.free == fake.language.llm.sequences - 2


def test_a_closed_engine_says_so(fake: Engine) -> None:
    fake.look(grey(1))
    fake.close()
    fake.close()
    for call in (lambda: fake.look(grey(1)), lambda: fake.ask(AHEAD)):
        with pytest.raises(ClosedError, match='the engine is closed'):
            call()


@pytest.mark.parametrize('end', [next, lambda stream: stream.close()])
def test_a_stream_that_outlives_its_engine_does_no_harm(
    engine: Engine, make_frame: MakeFrame, end: Callable[[Any], object]
) -> None:
    engine.look(make_frame())
    stream = engine.stream(replace(AHEAD, max_tokens=40))
    next(stream)
    engine.close()
    with suppress(ClosedError):
        end(stream)
    with pytest.raises(StopIteration):
        next(stream)
