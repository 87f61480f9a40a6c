"""The whole of nano's training: render, tokenise, see, speak, then both together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import Tensor

from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm, save_checkpoint
from mobilevlm_ros.sim.questions import QUESTION_KINDS
from mobilevlm_ros.training.augment import augment, normalise
from mobilevlm_ros.training.curves import draw_curves
from mobilevlm_ros.training.dataset import Shard, batches, make_dataset, read_shard
from mobilevlm_ros.training.language import (
    HEAD,
    ONCE,
    QUESTION,
    Turn,
    choose_turns,
    language_losses,
    pack,
    to_turns,
)
from mobilevlm_ros.training.stage import Losses, Stage, StageConfig
from mobilevlm_ros.training.tokenizer import load_tokenizer, train_tokenizer
from mobilevlm_ros.training.vision import NAMES, VisionHeads, vision_batches, vision_losses
from mobilevlm_ros.training.vision import to_tensors

KINDS = list(QUESTION_KINDS)
TEXT_SHARDS = 4  # whose questions the vocabulary is trained on


@dataclass(frozen=True)
class Recipe:
    """Nano's training; the defaults made the bundle that is shipped."""

    scenes: int = 60_000
    seed: int = 0
    batch: int = 32
    turns: int = 18  # questions an image
    vision: StageConfig = StageConfig('1-vision', 4000, 1.5e-3)
    language: StageConfig = StageConfig('2-language', 4000, 1.5e-3)
    joint: StageConfig = StageConfig('3-joint', 2500, 5e-4)


class Trainer:
    """Runs a recipe in a folder; run again after a kill, it goes on where it was."""

    def __init__(self, recipe: Recipe, folder: Path, workers: int = 2) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.data = recipe, folder, folder / 'data'
        self.shards = make_dataset(self.data, recipe.scenes, workers)
        self.tokenizer = self._tokenizer()
        self.model = MobileVlm(Geometry(vocabulary=len(self.tokenizer)))
        self.heads = VisionHeads(self.model.geometry)
        bos, words = self.tokenizer.bos_id(), [self.tokenizer.encode(n)[0] for n in NAMES]
        self.head = torch.tensor([bos, *self.tokenizer.encode(HEAD)])
        self.words = torch.tensor(words)
        self._turns: dict[int, list[list[Turn]]] = {}

    def run(self) -> None:
        """All stages, then the checkpoint and the curves."""
        recipe, model = self.recipe, self.model
        seeing = {'tower': model.tower, 'projector': model.projector, 'heads': self.heads}
        everything = {**seeing, 'llama': model.llama}
        self._stage(recipe.vision, everything, self._vision)
        self._stage(recipe.language, {'llama': model.llama}, self._language)
        self._stage(recipe.joint, everything, self._joint)
        save_checkpoint(model, self.folder / 'checkpoint')
        draw_curves(self.folder)

    def _stage(self, config: StageConfig, modules: dict, losses: Callable) -> None:
        stage = Stage(config, modules, self.folder)
        if not stage.finished:
            stage.run(losses(stage.step))

    def _tokenizer(self) -> sentencepiece.SentencePieceProcessor:
        path = self.folder / 'tokenizer.model'
        if not path.exists():
            rows = [row for i in range(min(TEXT_SHARDS, self.shards)) for row in self._questions(i)]
            texts = [t for row in rows for _, q, a in row for t in (_as_text(q), a)]
            train_tokenizer([*texts, *[HEAD] * 50], Geometry().vocabulary, path)
        return load_tokenizer(path)

    def _questions(self, shard: int) -> list[list[tuple[str, str, str]]]:
        return read_shard(self.data, shard).questions

    def _vision(self, start: int) -> Iterator[Callable[[], Losses]]:
        recipe = self.recipe
        return vision_batches(
            self.model, self.heads, self.words, self.data, self.shards, recipe.batch, start
        )

    def _turns_of(self, shard: Shard, rows: np.ndarray, rng: np.random.Generator) -> list[list[Turn]]:
        if shard.index not in self._turns:
            self._turns[shard.index] = [
                to_turns(asked, self.tokenizer, KINDS) for asked in shard.questions
            ]
        turns = self._turns[shard.index]
        once = KINDS.index(ONCE)
        return [choose_turns(turns[i], self.recipe.turns, once, rng) for i in rows]

    def _language(self, start: int) -> Iterator[Callable[[], Losses]]:
        """Batches of the language stage: the tower and projector stand still."""
        encoded: dict[int, Tensor] = {}
        for shard, rows in batches(self.data, self.shards, self.recipe.batch, 12, start):
            if shard.index not in encoded:
                encoded[shard.index] = self._encode(shard.images)
            visual = encoded[shard.index][rows]
            packed = pack(self._turns_of(shard, rows, np.random.default_rng([shard.index, *rows[:2]])))

            def compute() -> Losses:
                with torch.autocast('cpu', torch.bfloat16):
                    return language_losses(self.model, self.head, visual.float(), packed, KINDS)

            yield compute

    @torch.no_grad()
    def _encode(self, images: np.ndarray) -> Tensor:
        self.model.eval()
        with torch.autocast('cpu', torch.bfloat16):
            parts = [
                self.model.encode(normalise(torch.from_numpy(images[i : i + 50]))).half()
                for i in range(0, len(images), 50)
            ]
        self.model.train()
        return torch.cat(parts)

    def _joint(self, start: int) -> Iterator[Callable[[], Losses]]:
        """Batches of the last stage: language and dense losses through everything."""
        generator = torch.Generator().manual_seed(start)
        for shard, rows in batches(self.data, self.shards, self.recipe.batch, 13, start):
            images, labels, room = to_tensors(shard, rows)
            packed = pack(self._turns_of(shard, rows, np.random.default_rng([start, *rows[:2]])))

            def compute() -> Losses:
                pixels = augment(images, generator)
                with torch.autocast('cpu', torch.bfloat16):
                    losses, visual = vision_losses(
                        self.model, self.heads, self.words, pixels, labels, room
                    )
                    dense = torch.stack(list(losses.values())).sum() * 0.3
                    spoken = language_losses(self.model, self.head, visual, packed, KINDS)
                return {'dense': dense, **spoken}

            yield compute


def _as_text(question: str) -> str:
    return QUESTION.format(question=question).strip()
