"""The demo's questions, and what the simulator says about the frame that was answered about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.sim.questions import QA, QUESTION_KINDS, ask
from mobilevlm_ros.sim.scoring import is_right
from mobilevlm_ros.sim.truth import observe
from mobilevlm_ros.sim.world import World

KIND_TRIES = 4  # at a question of one kind


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
        return self.counted and is_right(self.kind, self.answer, self.truth)

    @property
    def verdict(self) -> str:
        """`yes`, `NO`, or `-` where there is no truth to match."""
        return ('yes' if self.right else 'NO') if self.counted else '-'


class Quiz:
    """Asks whatever kind it has asked least of those that the view allows."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = np.random.default_rng([seed, 5])
        self._asked = dict.fromkeys(QUESTION_KINDS, 0)

    def next_question(self, pose: Pose) -> QA | None:
        """A question that the view from here settles, if it settles any."""
        observation = observe(self._world, pose)
        for kind in sorted(self._asked, key=lambda kind: self._asked[kind]):
            for _ in range(KIND_TRIES):
                if qa := ask(observation, kind, self._rng):
                    self._asked[kind] += 1
                    return qa
        return None

    def truth(self, qa: QA, pose: Pose) -> str:
        """The true answer at a pose; empty if that view does not settle the question.

        The robot moves on between question and frame, so the truth may not be what it was.
        """
        return qa.judge(observe(self._world, pose)) or ''
