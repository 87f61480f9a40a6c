"""After many random operations everything is where it was."""

import gc
import random
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from mobilevlm_ros.engine import (
    EngineConfig,
    EngineWorker,
    Frame,
    MobileVlmError,
    Question,
    Reply,
    create_fake_engine,
    open_engine,
)
from mobilevlm_ros.engine.budget import release_freed_memory
from tests.engine.support import WAIT_S, MakeFrame, grey, until

CAMERAS = ('front', 'rear')


def resident_bytes() -> int:
    gc.collect()
    release_freed_memory()
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096


def operate(worker: EngineWorker, frames: list[Frame], count: int, seed: int) -> int:
    """Show, ask and cancel at random; every question ends once. Returns how many were answered."""
    rng, replies, ended = random.Random(seed), list[Reply](), list[Reply]()
    for _ in range(count):
        chance = rng.random()
        if chance < 0.2:
            worker.show(rng.choice(frames))
        elif chance < 0.3 and replies:
            rng.choice(replies[-4:]).cancel()
        else:
            question = Question(
                'Is the way clear?',
                max_tokens=rng.choice([1, 3]),
                session=rng.choice(['', '', 'a', 'b', 'c']),
                choices=rng.choice([(), (), ('yes', 'no')]),
                roi=rng.choice([(0, 0, 0, 0)] * 9 + [(1, 1, 4, 4)]),
                deadline_s=rng.choice([0.0, 0.0, 1e-4]),
                priority=rng.choice([1, 2]),
            )
            image = rng.choice(frames) if rng.random() < 0.05 else None
            camera, newest = rng.choice((*CAMERAS, '')), rng.random() < 0.2
            replies.append(worker.submit(question, camera, newest, frame=image))
            replies[-1].add_done_callback(ended.append)
            if len(replies) % 8 == 0:
                wait(replies[-8:], WAIT_S)
    wait(replies, WAIT_S)
    until(lambda: worker.load().active == worker.load().waiting == 0)
    assert sorted(map(id, ended)) == sorted(map(id, replies))
    return sum(has_answer(reply) for reply in replies)


def has_answer(reply: Reply) -> bool:
    return reply.exception(WAIT_S) is None and not reply.result().unanswered


def settle(worker: EngineWorker, frames: list[Frame]) -> tuple[int, ...]:
    """What is used once nothing is asked and every conversation was begun again."""
    for frame in frames[:2]:
        worker.show(frame)
    for camera in CAMERAS:
        worker.submit(Question('Q', max_tokens=1), camera, newest=True).result(WAIT_S)
    until(lambda: worker.load().active == 0)
    language = worker._engine.language
    while language.sessions.give_up_sequence():
        pass
    load = language.load()
    return load.cells_used, load.free_sequences, load.held_frames


@pytest.mark.slow
@pytest.mark.parametrize('held_frames', [1, 4])
def test_ten_thousand_operations_leave_everything_where_it_was(held_frames: int) -> None:
    config = EngineConfig(
        look='on_demand', queue_size=64, sessions=2, session_idle_s=1e6, held_frames=held_frames
    )
    frames = [grey(n, camera=CAMERAS[n % 2]) for n in range(20)]
    with EngineWorker(create_fake_engine(config)) as worker:
        operate(worker, frames, 1000, seed=0)
        before, bytes_before = settle(worker, frames), resident_bytes()
        threads = set(threading.enumerate())
        answered = sum(operate(worker, frames, 1000, seed) for seed in range(1, 11))
        assert answered > 2000
        assert settle(worker, frames) == before
        assert set(threading.enumerate()) <= threads
        assert resident_bytes() - bytes_before < 8 << 20
        llm = worker._engine.language.llm
        assert llm.cells_used == before[0]  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize('bundle', ['tiny', 'nano'])
def test_so_does_a_real_model(
    bundle: str, tiny_bundle: Path, root: Path, make_frame: MakeFrame
) -> None:
    path = tiny_bundle if bundle == 'tiny' else root / 'models' / 'nano'
    config = EngineConfig(
        look='on_demand', queue_size=64, llm_threads=1, encoder_threads=1, session_idle_s=1e6
    )
    frames = [make_frame(n, camera=CAMERAS[n % 2]) for n in range(6)]
    with EngineWorker(open_engine(path, config)) as worker:
        operate(worker, frames, 60, seed=0)
        before, bytes_before = settle(worker, frames), resident_bytes()
        threads = set(threading.enumerate())
        assert operate(worker, frames, 1000 if bundle == 'tiny' else 150, seed=1) > 20
        assert settle(worker, frames) == before
        assert set(threading.enumerate()) <= threads
        assert resident_bytes() - bytes_before < 16 << 20


def test_every_question_ends_when_the_worker_closes_under_them() -> None:
    worker = EngineWorker(create_fake_engine(EngineConfig(queue_size=100)))
    worker.show(grey(1))
    replies = [worker.submit(Question('Q')) for _ in range(100)]
    worker.close()
    wait(replies, WAIT_S)
    assert all(
        reply.exception() is None or isinstance(reply.exception(), MobileVlmError)
        for reply in replies
    )
