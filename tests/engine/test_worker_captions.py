"""The caption stream of a worker: what is said, why, and with which drafts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mobilevlm_ros.engine import (
    Caption,
    EngineConfig,
    EngineWorker,
    Frame,
    create_fake_engine,
    open_engine,
)
from tests.engine.support import SECOND, Clocks, Start, grey, text_of, until
from tests.engine.support import Q as QUESTION


def half(level: int) -> Frame:
    """An image whose left half is of some brightness."""
    pixels = np.full((32, 32, 3), 100, np.uint8)
    pixels[:, :16] = level
    return Frame(pixels)


def show_all(worker: Any, frames: list[Frame]) -> None:
    """Show one frame after the other, each until it is held."""
    for frame in frames:
        worker.show(frame)
        text_of(worker.submit(QUESTION, newest=True))


def test_a_view_that_stays_the_same_is_spoken_of_once(start: Start) -> None:
    captions: list[Caption] = []
    worker = start(on_caption=captions.append, caption_period_s=0.0, caption_heartbeat_s=0.0)
    show_all(worker, [grey(30)] * 5)
    until(lambda: len(captions) == 1)
    show_all(worker, [grey(30)] * 5)
    assert [(c.reason.name, c.change) for c in captions] == [('FIRST', 0.0)]


def test_captions_that_are_not_wanted_cost_nothing() -> None:
    captions: list[Caption] = []
    wanted = [False]
    engine = create_fake_engine(EngineConfig(caption_period_s=0.0, drafts=False))
    with EngineWorker(engine, captions.append, captions_wanted=lambda: wanted[0]) as worker:
        show_all(worker, [grey(30), grey(200)])
        decoded = engine.language.llm.decoded  # type: ignore[attr-defined]
        with EngineWorker(silent := create_fake_engine()) as other:
            show_all(other, [grey(30), grey(200)])
            assert decoded == silent.language.llm.decoded  # type: ignore[attr-defined]
        assert not captions
        wanted[0] = True
        show_all(worker, [grey(90)])
        until(lambda: len(captions) == 1)


def test_a_view_that_changes_is_spoken_of_with_its_change(
    start: Start, tiny_bundle: Any, make_frame: Callable[..., Frame]
) -> None:
    captions: list[Caption] = []
    config = EngineConfig(
        caption_period_s=0.0, caption_heartbeat_s=0.0, caption_change=1e-4, max_tokens=4,
        llm_threads=1, encoder_threads=1,
    )  # fmt: skip
    worker = start(open_engine(tiny_bundle, config), on_caption=captions.append)
    show_all(worker, [make_frame(0)])
    until(lambda: len(captions) == 1)
    show_all(worker, [make_frame(1)])
    until(lambda: len(captions) == 2)
    assert captions[1].reason.name == 'CHANGE' and captions[1].change > 1e-4


def test_a_static_view_has_a_heartbeat(start: Start) -> None:
    captions: list[Caption] = []
    worker = start(
        on_caption=captions.append, look='on_change', look_rate_hz=0.0, caption_period_s=0.0,
        caption_heartbeat_s=0.05,
    )  # fmt: skip

    def heard() -> bool:
        worker.show(half(50))
        return len(captions) >= 3

    until(heard)
    assert [caption.reason.name for caption in captions[:3]] == ['FIRST', 'HEARTBEAT', 'HEARTBEAT']


def test_drafts_do_not_change_what_is_said(
    start: Start, tiny_bundle: Any, make_frame: Callable[..., Frame]
) -> None:
    said = []
    for drafts in (False, True):
        captions: list[Caption] = []
        config = EngineConfig(
            caption_period_s=0.0, caption_change=0.0, max_tokens=12, drafts=drafts,
            llm_threads=1, encoder_threads=1,
        )  # fmt: skip
        worker = start(open_engine(tiny_bundle, config), on_caption=captions.append)
        for number in (0, 0, 1, 1):
            before = len(captions)
            show_all(worker, [make_frame(number)])
            until(lambda captions=captions, before=before: len(captions) > before)
        said.append([caption.answer.text for caption in captions[:4]])
    assert said[0] == said[1]


def test_no_caption_is_about_an_image_older_than_its_camera_may_be_now() -> None:
    captions: list[Caption] = []
    clocks, allowed_s = Clocks(), {'front': 0.5}
    engine = clocks.engine(
        max_age_s=9.0, look_rate_hz=0.0, caption_period_s=0.0, caption_change=0.0
    )
    with EngineWorker(engine, captions.append, caption_max_age_s=allowed_s.__getitem__) as worker:
        old_ns = clocks.now_ns - SECOND
        show_all(worker, [grey(30, camera='front', stamp_ns=old_ns)])
        show_all(worker, [grey(200, camera='front', stamp_ns=clocks.now_ns)])
        until(lambda: len(captions) == 1)
        allowed_s['front'] = 2.0
        show_all(worker, [grey(90, camera='front', stamp_ns=old_ns)])
        until(lambda: len(captions) == 2)
    assert [caption.answer.timing.image_age_ms for caption in captions] == [0, SECOND * 1e-6]
