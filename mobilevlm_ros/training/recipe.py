"""The whole of nano's training: render, tokenise, see, speak, then both together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import Tensor

from mobilevlm_ros.model.checkpoint import Checkpoint, save_checkpoint
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.sim.questions import QUESTION_KINDS, QUESTIONS_VERSION
from mobilevlm_ros.training.augment import MEAN, STD, augment, normalise
from mobilevlm_ros.training.dataset import Dataset, Shard
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

CAPTION = 'Describe the scene.'
VOCABULARY = 'tokenizer.model'
KINDS = list(QUESTION_KINDS)
TEXT_SHARDS = 4  # whose questions the vocabulary is trained on


@dataclass(frozen=True)
class Recipe:
    """Nano's training; the defaults made the bundle that is shipped."""

    shards: int = 60
    per_shard: int = 1000  # scenes
    seed: int = 0
    batch: int = 32
    turns: int = 18  # questions an image
    vision: StageConfig = StageConfig('1-vision', 1200, 1.5e-3)
    language: StageConfig = StageConfig('2-language', 1200, 1.5e-3)
    joint: StageConfig = StageConfig('3-joint', 600, 6e-4)


class Trainer:
    """Runs a recipe in a folder; run again after a kill, it goes on where it was."""

    def __init__(self, recipe: Recipe, folder: Path, workers: int = 2) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder = recipe, folder
        self.data = Dataset(folder / 'data', recipe.shards, recipe.per_shard)
        self.data.make(workers)
        self.tokenizer = self._tokenizer()
        self.model = MobileVlm(Geometry(vocabulary=len(self.tokenizer)))
        self.heads = VisionHeads(self.model.geometry)
        bos, words = self.tokenizer.bos_id(), [self.tokenizer.encode(n)[0] for n in NAMES]
        self.head = torch.tensor([bos, *self.tokenizer.encode(HEAD)])
        self.words = torch.tensor(words)
        self._turns: dict[int, list[list[Turn]]] = {}

    def run(self) -> Path:
        """All stages; returns the checkpoint's folder."""
        recipe, model = self.recipe, self.model
        seeing = {'tower': model.tower, 'projector': model.projector, 'heads': self.heads}
        everything = {**seeing, 'llama': model.llama}
        model.tower.compile()
        model.projector.compile()
        self._stage(recipe.vision, everything, self._vision)
        self._stage(recipe.language, {'llama': model.llama}, self._language)
        self._stage(recipe.joint, everything, self._joint)
        folder = self.folder / 'checkpoint'
        save_checkpoint(self._checkpoint(), self.folder / VOCABULARY, folder)
        return folder

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            model=self.model,
            tokenizer=self.tokenizer,
            prompt={'head': HEAD, 'question': QUESTION, 'stop': ['</s>']},
            preprocessing={'mean': list(MEAN), 'std': list(STD)},
            caption=CAPTION,
            license='Apache-2.0',
            provenance={
                'trained_by': 'mobilevlm train nano',
                'data': 'mobilevlm_ros.sim, rendered from seeds; no outside data or weights',
                'questions_version': QUESTIONS_VERSION,
                'recipe': asdict(self.recipe),
            },
        )

    def _stage(self, config: StageConfig, modules: dict, losses: Callable) -> None:
        stage = Stage(config, modules, self.folder)
        if not stage.finished:
            stage.run(losses(stage.step))

    def _tokenizer(self) -> sentencepiece.SentencePieceProcessor:
        path = self.folder / VOCABULARY
        if not path.exists():
            rows = [row for i in range(min(TEXT_SHARDS, self.data.shards)) for row in self._questions(i)]
            texts = [t for row in rows for _, q, a in row for t in (_as_text(q), a)]
            train_tokenizer([*texts, *[HEAD] * 50], Geometry().vocabulary, path)
        return load_tokenizer(path)

    def _questions(self, shard: int) -> list[list[tuple[str, str, str]]]:
        return self.data.read(shard).questions

    def _vision(self, start: int) -> Iterator[Callable[[], Losses]]:
        recipe = self.recipe
        return vision_batches(
            self.model, self.heads, self.words, self.data, recipe.batch, start
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
        for shard, rows in self.data.batches(self.recipe.batch, 12, start):
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
        for shard, rows in self.data.batches(self.recipe.batch, 13, start):
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
