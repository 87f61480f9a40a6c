"""The demo's questions, and what the simulator says about the frame that was answered about."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import numpy as np

from mobilevlm_ros.sim.questions import QA, QUESTION_KINDS, ask
from mobilevlm_ros.sim.truth import observe
from mobilevlm_ros.sim.world import Pose, World

TRIES = 4000  # at finding a question's wording again


@dataclass(frozen=True)
class Result:
    """One question with its answer; `truth` is empty where the frame does not settle it."""

    kind: str
    question: str
    answer: str
    truth: str
    latency_ms: float  # from the request to the response

    @property
    def counted(self) -> bool:
        """Whether there is one true answer to compare with."""
        return bool(self.truth)

    @property
    def right(self) -> bool:
        """Whether the answer is the true one."""
        return self.counted and _plain(self.answer) == _plain(self.truth)

    @property
    def verdict(self) -> str:
        """`yes`, `NO`, or `-` where there is no truth to match."""
        return ('yes' if self.right else 'NO') if self.counted else '-'


class Quiz:
    """Asks all kinds in turn."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = np.random.default_rng([seed, 5])
        self._kinds = cycle(QUESTION_KINDS)

    def next_question(self, pose: Pose) -> QA | None:
        """A question of the next kind that the view from here gives rise to."""
        observation = observe(self._world, pose)
        for _ in QUESTION_KINDS:
            qa = ask(observation, next(self._kinds), self._rng)
            if qa:
                return qa
        return None

    def truth(self, kind: str, question: str, pose: Pose) -> str:
        """The true answer at a pose; empty if that view does not settle the question.

        The robot moves on between question and frame, so the truth may not be what it was.
        """
        observation = observe(self._world, pose)
        rng = np.random.default_rng(7)
        for _ in range(TRIES):
            qa = ask(observation, kind, rng)
            if qa and qa.question == question:
                return qa.answer
        return ''


def _plain(text: str) -> str:
    return text.strip().rstrip('.').lower()
