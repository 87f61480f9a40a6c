"""Rendered training scenes on disk: made once in shards, then read by every stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mobilevlm_ros.sim.questions import ask_all
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.training.labels import free_room, patch_labels

TRAIN_STREAM = 0
SHARD = 1000  # scenes
IMAGE_SIZE = 160
TRIES = 4  # questions of each kind and scene


@dataclass(frozen=True)
class Shard:
    """Images uint8 [n, S, S, 3], labels uint8 [n, 16, 16, 3], room float32 [n, 8], questions.

    `questions[i]` lists (kind, question, answer) of image i.
    """

    index: int
    images: np.ndarray
    labels: np.ndarray
    room: np.ndarray
    questions: list[list[tuple[str, str, str]]]


def shard_path(folder: Path, index: int) -> Path:
    """Where the shard of this index lies."""
    return folder / f'scenes-{index:04d}.npz'


def make_shard(folder: Path, index: int) -> Path:
    """Render one shard, unless it is there already."""
    path = shard_path(folder, index)
    if path.exists():
        return path
    rows = [_make_row(index * SHARD + i) for i in range(SHARD)]
    images, labels, room, questions = zip(*rows)
    partial = path.with_suffix('.partial.npz')
    np.savez(
        partial,
        images=np.stack(images),
        labels=np.stack(labels),
        room=np.stack(room),
        questions=np.frombuffer(json.dumps(questions).encode(), np.uint8),
    )
    partial.rename(path)
    return path


def _make_row(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[str, str, str]]]:
    scene = sample_scene(TRAIN_STREAM, index)
    view = scene.view()
    rng = np.random.default_rng([TRAIN_STREAM, index, 5])
    asked = [(q.kind, q.question, q.answer) for q in ask_all(scene.observe(view), rng, TRIES)]
    square = Image.fromarray(view.image)
    image = np.asarray(square.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC))
    return image, patch_labels(scene, view), free_room(scene), asked


def make_dataset(folder: Path, scenes: int, workers: int) -> int:
    """Render what is missing of so many scenes, with a progress bar; returns the shard count."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = -(-scenes // SHARD)
    missing = [i for i in range(shards) if not shard_path(folder, i).exists()]
    with ProcessPoolExecutor(workers) as pool:
        jobs = pool.map(make_shard, [folder] * len(missing), missing)
        for _ in tqdm(jobs, total=len(missing), desc='rendering shards', unit='shard'):
            pass
    return shards


def read_shard(folder: Path, index: int) -> Shard:
    """One shard, whole in memory."""
    with np.load(shard_path(folder, index)) as data:
        questions = json.loads(data['questions'].tobytes())
        return Shard(index, data['images'], data['labels'], data['room'], questions)


def batches(
    folder: Path, shards: int, batch: int, seed: int, start: int = 0
) -> Iterator[tuple[Shard, np.ndarray]]:
    """Endless shuffled batches as (shard, rows of it); `start` skips so many, as on resuming."""
    per_shard = SHARD // batch
    step = start - start % per_shard
    while True:
        epoch, place = divmod(step // per_shard, shards)
        order = np.random.default_rng([seed, epoch]).permutation(shards)
        shard = read_shard(folder, int(order[place]))
        rows = np.random.default_rng([seed, epoch, place]).permutation(SHARD)
        for i in range(max(0, start - step), per_shard):
            yield shard, rows[i * batch : (i + 1) * batch]
        step += per_shard
