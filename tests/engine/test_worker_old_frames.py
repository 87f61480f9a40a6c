"""Images that grow old while their questions wait for others to be answered."""

from dataclasses import dataclass

import pytest

from mobilevlm_ros.engine import EngineWorker, Question, Reply, StaleImageError
from tests.engine.support import WAIT_S, Clock, Clocks, Q, Start, error_of, grey, until

CORNER = Question('Q', roi=(0, 0, 4, 4))


@dataclass
class Crowd:
    """A worker that answers one question at a time, and is at a long one."""

    worker: EngineWorker
    long: Reply
    clocks: Clocks
    clock: Clock

    def ask(self, question: Question) -> list[Reply]:
        """Two questions whose images are encoded, but only one of a region is held."""
        encoder = self.worker._engine._encoder
        before = encoder.encoded  # type: ignore[attr-defined]
        replies = [self.worker.submit(question) for _ in range(2)]
        looks = 1 if question is Q else 2
        until(lambda: encoder.encoded == before + looks)  # type: ignore[attr-defined]
        until(lambda: self.worker.load().held_frames == 2)
        return replies

    def show_next(self, level: int) -> None:
        """Let the camera have a frame ready that arrives when it is decoded."""
        self.worker.offer(
            'front',
            lambda: grey(level, camera='front', frame_id=str(level), arrived_s=self.clocks.now_s),
        )

    def wait(self) -> None:
        """Nine seconds pass."""
        self.clocks.wait(9.0)
        self.clock.ahead_s += 9.0


@pytest.fixture
def crowd(start: Start, clocks: Clocks, clock: Clock) -> Crowd:
    engine = clocks.engine(
        lambda *_: 'and so on ' * 40, look='on_demand', active_questions=1, max_age_s=2.0
    )
    engine.language.llm._delay_s = 0.02  # type: ignore[attr-defined]
    worker = start(engine)
    worker.show(grey(10, camera='front'))
    long = worker.submit(Question('Q', max_tokens=400))
    until(lambda: long.begun)
    worker.show(grey(20, camera='front'))
    return Crowd(worker, long, clocks, clock)


@pytest.mark.parametrize('question', [Q, CORNER])
def test_the_time_that_other_answers_take_counts(crowd: Crowd, question: Question) -> None:
    replies = crowd.ask(question)
    crowd.wait()
    crowd.long.cancel()
    for reply in replies:
        assert isinstance(error_of(reply), StaleImageError)


@pytest.mark.parametrize('question', [Q, CORNER])
def test_a_newer_frame_takes_the_place_of_one_that_grew_old(
    crowd: Crowd, question: Question
) -> None:
    replies = crowd.ask(question)
    for level in (80, 90):
        crowd.show_next(level)
        crowd.wait()
    crowd.long.cancel()
    first = replies[0]
    until(lambda: first.begun)
    first.cancel()
    answers = [first.result(WAIT_S), replies[1].result(WAIT_S)]
    assert [answer.frame_id for answer in answers] == ['90', '90']
    assert [answer.timing.final_age_ms for answer in answers] == [0, 0]
