"""The examination of a model: scenes it never trained on, and a fixed mix of questions.

Every scene is asked one question of each kind, as far as the scene gives rise to one. The mix
belongs to QUESTIONS_VERSION: figures of different versions cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mobilevlm_ros.sim.perturb import perturb
from mobilevlm_ros.sim.questions import QA, QUESTION_KINDS, ask
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.sim.things import SEEN_PAIRS, UNSEEN_PAIRS

EXAM_STREAM = 1000  # streams from here on are for measuring; training uses lower ones
TRIES = 4  # to find a question of some kind that the scene settles
SPLITS = {
    'plain': 'scenes like those of training',
    'perturbed': 'the same scenes with other gain, blur, JPEG and a small roll',
    'unseen': 'only pairs of colour and thing that were kept out of training',
}


@dataclass(frozen=True)
class Sheet:
    """One frame, RGB uint8 [h, w, 3], and what is asked about it."""

    index: int
    image: np.ndarray
    questions: tuple[QA, ...]


def sheets(split: str, seed: int, scenes: int) -> Iterator[Sheet]:
    """The examination of a split; the same for the same seed.

    Raises:
        ValueError: if there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}; there are {", ".join(SPLITS)}')
    pairs = tuple(sorted(UNSEEN_PAIRS)) if split == 'unseen' else SEEN_PAIRS
    for index in range(scenes):
        scene = sample_scene(EXAM_STREAM + seed, index, pairs)
        view = scene.view()
        rng = np.random.default_rng([EXAM_STREAM + seed, index, 6])
        observation = scene.observe(view)
        asked = [_ask(observation, kind, rng) for kind in QUESTION_KINDS]
        image = perturb(view.image, rng) if split == 'perturbed' else view.image
        yield Sheet(index, image, tuple(qa for qa in asked if qa))


def _ask(observation, kind: str, rng: np.random.Generator) -> QA | None:
    return next((qa for _ in range(TRIES) if (qa := ask(observation, kind, rng))), None)
