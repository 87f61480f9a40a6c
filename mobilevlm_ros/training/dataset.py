"""Rendered training scenes on disk: made once in shards, then read by every stage."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from mobilevlm_ros.programs import heed_interrupts, hold_interrupts
from mobilevlm_ros.sim.questions import QA, ask, ask_all
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.sim.truth import Observation, likeliest
from mobilevlm_ros.training.labels import free_room, patch_labels

TRAIN_STREAM = 0
IMAGE_SIZE = 200
TRIES = 4  # questions of each kind and scene


@dataclass(frozen=True)
class Shard:
    """Images uint8 [n, S, S, 3], labels uint8 [n, GRID, GRID, LAYERS], their questions.

    `room` is float32 [n, COLUMNS].
    `questions[i]` lists (kind, question, answer) of image i.
    """

    index: int
    images: np.ndarray
    labels: np.ndarray
    room: np.ndarray
    questions: list[list[tuple[str, str, str]]]


@dataclass(frozen=True)
class Dataset:
    """Scenes 0, 1, 2 ... of the training stream, `per_shard` in each file of a folder."""

    folder: Path
    shards: int
    per_shard: int = 1000

    def make(self, workers: int) -> None:
        """Render the shards that are missing, with a progress bar."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [i for i in range(self.shards) if not self.path(i).exists()]
        if not missing:
            return
        # Not forked: torch's threads may be running, and a fork would copy their locks.
        spawn = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(workers, spawn, _begin) as pool:
            with hold_interrupts():
                jobs = pool.map(self._make_shard, missing)
            for _ in tqdm(jobs, total=len(missing), desc='rendering', unit='shard'):
                pass

    def path(self, index: int) -> Path:
        """Where the shard of this index lies."""
        return self.folder / f'scenes-{index:04d}.npz'

    def read(self, index: int) -> Shard:
        """One shard, whole in memory."""
        with np.load(self.path(index)) as data:
            questions = json.loads(data['questions'].tobytes())
            return Shard(index, data['images'], data['labels'], data['room'], questions)

    def batches(self, size: int, seed: int, start: int = 0) -> Iterator[tuple[Shard, np.ndarray]]:
        """Endless shuffled batches as (shard, rows of it); `start` skips so many, to resume."""
        per_shard = self.per_shard // size
        step = start - start % per_shard
        while True:
            epoch, place = divmod(step // per_shard, self.shards)
            order = np.random.default_rng([seed, epoch]).permutation(self.shards)
            shard = self.read(int(order[place]))
            rows = np.random.default_rng([seed, epoch, place]).permutation(self.per_shard)
            for i in range(max(0, start - step), per_shard):
                yield shard, rows[i * size : (i + 1) * size]
            step += per_shard

    def _make_shard(self, index: int) -> None:
        first = index * self.per_shard
        rows = [_make_row(first + i) for i in range(self.per_shard)]
        images, labels, room, questions = zip(*rows, strict=True)
        partial = self.path(index).with_suffix('.partial.npz')
        np.savez(
            partial,
            images=np.stack(images),
            labels=np.stack(labels),
            room=np.stack(room),
            questions=np.frombuffer(json.dumps(questions).encode(), np.uint8),
        )
        partial.rename(self.path(index))


def _make_row(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[str, str, str]]]:
    scene = sample_scene(TRAIN_STREAM, index)
    view = scene.view()
    observation = scene.observe(view)
    rng = np.random.default_rng([TRAIN_STREAM, index, 5])
    asked = [(q.kind, q.question, q.answer) for q in _ask(observation, rng)]
    square = Image.fromarray(view.image)
    image = np.asarray(square.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC))
    return image, patch_labels(scene, view, observation.sightings), free_room(scene), asked


def _begin() -> None:
    heed_interrupts()
    cv2.setNumThreads(1)


def _ask(observation: Observation, rng: np.random.Generator) -> list[QA]:
    """Questions of all kinds, and always a description.

    An examination does not ask to describe what is a close call, but then crowded scenes would
    hardly ever be described: here close calls are decided, so that each scene teaches to list.
    """
    asked = ask_all(observation, rng, TRIES)
    if all(qa.kind != 'describe' for qa in asked):
        described = ask(likeliest(observation), 'describe', rng)
        assert described is not None
        asked.append(described)
    return asked
