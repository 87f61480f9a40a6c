"""Conversations of a worker: which camera they are about, and the order of their turns."""

from dataclasses import replace

import pytest

from mobilevlm_ros.engine import EngineConfig, EngineWorker, Question, create_fake_engine
from tests.engine.support import WAIT_S, Gate, Q, Start, error_of, grey, slow, text_of, until

TURN = Question('Q', session='s', max_tokens=200)


def about_rear(start: Start, **settings: object) -> EngineWorker:
    """A worker that has room for one frame, which is front's; its conversation is about rear."""
    worker = start(held_frames=1, **settings)
    worker.show(grey(10, camera='front'))
    worker.show(grey(20, camera='rear'))
    assert text_of(worker.submit(TURN, 'rear')).endswith('brightness 20')
    text_of(worker.submit(Question('A', session='other'), 'front'))
    worker.show(grey(30, camera='front'))
    assert text_of(worker.submit(Q, 'front', newest=True)) == 'Q brightness 30'
    return worker


@pytest.mark.parametrize('look', ['on_demand', 'on_change', 'always'])
def test_a_conversation_looks_again_at_its_camera_whose_frame_made_way(
    start: Start, look: str
) -> None:
    worker = about_rear(start, look=look)
    answer = worker.submit(TURN).result(WAIT_S)
    assert answer.camera == 'rear' and answer.text.endswith('Q brightness 20')
    assert text_of(worker.submit(Q, 'front')) == 'Q brightness 30'


def test_the_newest_frame_of_a_conversation_is_its_camera_s(start: Start) -> None:
    worker = about_rear(start, look='on_demand')
    worker.show(grey(90, camera='rear'))
    answer = worker.submit(TURN, newest=True).result(WAIT_S)
    assert answer.camera == 'rear' and answer.text.endswith('Q brightness 90')


def test_a_region_in_a_conversation_is_of_its_camera(start: Start) -> None:
    worker = about_rear(start, look='on_demand')
    worker.show(grey(90, camera='rear'))
    region = Question('Q', session='s', max_tokens=200, roi=(0, 0, 4, 4))
    answer = worker.submit(region).result(WAIT_S)
    assert answer.camera == 'rear' and answer.text.endswith('Q brightness 90')


def test_a_turn_that_waits_for_its_camera_is_not_overtaken_by_the_next(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    text_of(worker.submit(Q))
    gate = engine.encode = Gate(engine.encode)  # type: ignore[method-assign, assignment]
    worker.show(grey(20, camera='rear'))
    first, second = worker.submit(TURN, 'rear'), worker.submit(TURN)
    assert gate.entered.wait(WAIT_S)
    assert text_of(worker.submit(Q, 'front')) == 'Q brightness 10'
    gate.open()
    assert text_of(first) == 'Q brightness 20'
    assert second.result(WAIT_S).camera == 'rear'


def test_the_error_of_a_camera_whose_frame_made_way_is_that_of_its_look(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand', held_frames=1))
    worker = start(engine)
    for camera in ('rear', 'front'):
        worker.show(grey(10, camera=camera))
        text_of(worker.submit(Q, camera))
    engine.encode = lambda frame: 1 / 0  # type: ignore
    for _ in range(2):
        assert 'division by zero' in str(error_of(worker.submit(Q, 'rear')))
    until(lambda: worker.load().waiting == 0)


def test_questions_whose_frame_made_way_end_if_the_newer_one_fails(start: Start) -> None:
    engine = slow(0.01, look='on_demand', held_frames=1, active_questions=1)
    worker = start(engine)
    worker.show(grey(10, camera='rear'))
    text_of(worker.submit(Q, 'rear'))
    worker.show(grey(10, camera='front'))
    long = worker.submit(Question('L' * 150, max_tokens=100), 'front')
    until(lambda: long.begun)
    worker.show(grey(20, camera='rear'))
    waiting = [worker.submit(Q, 'rear', newest=True) for _ in range(2)]
    until(lambda: worker._board.slots['rear'].held == 2)
    encode = engine.encode
    engine.encode = lambda frame: encode(frame) if frame.camera == 'front' else 1 / 0  # type: ignore
    worker.show(grey(30, camera='rear'))
    assert 'division by zero' in str(error_of(worker.submit(Q, 'rear', newest=True)))
    worker.show(grey(40, camera='front'))
    other = worker.submit(Q, 'front', newest=True)
    assert all('division by zero' in str(error_of(reply)) for reply in waiting)
    long.cancel()
    assert text_of(other) == 'Q brightness 40'


def test_turns_about_images_that_overtake_by_priority_do_not_block_each_other(
    start: Start,
) -> None:
    worker = start(slow(0.01))
    worker.show(grey(10))
    first = worker.submit(Question('L' * 150, max_tokens=100, session='s'))
    until(lambda: first.begun)
    later = worker.submit(replace(TURN, priority=2), frame=grey(20))
    until(lambda: worker.load().held_frames == 2)
    urgent = worker.submit(TURN, frame=grey(30))
    first.cancel()
    assert text_of(later) and text_of(urgent)
