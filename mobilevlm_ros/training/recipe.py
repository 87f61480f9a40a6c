"""The whole of nano's training: render, tokenise, see, speak, then both together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import Tensor, nn

from mobilevlm_ros.model.checkpoint import Usage, save_checkpoint
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.sim.questions import QUESTION_KINDS, QUESTIONS_VERSION
from mobilevlm_ros.training.augment import MEAN, STD, augment, normalise
from mobilevlm_ros.training.dataset import Dataset, Shard
from mobilevlm_ros.training.language import (
    HEAD,
    ONCE,
    PADDING,
    QUESTION,
    Packed,
    Turn,
    choose_turns,
    language_losses,
    pack,
    to_turns,
)
from mobilevlm_ros.training.stage import Losses, Stage, StageConfig
from mobilevlm_ros.training.tokenizer import load_tokenizer, train_tokenizer
from mobilevlm_ros.training.vision import NAMES, VisionHeads, to_tensors, vision_losses

CAPTION = 'Describe the scene.'
VOCABULARY = 'tokenizer.model'
KINDS = list(QUESTION_KINDS)
TEXT_SHARDS = 4  # whose questions the vocabulary is trained on
ENCODE_BATCH = 50
VISION = StageConfig('1-vision', 900, 1.5e-3)
LANGUAGE = StageConfig('2-language', 300, 2e-3)
JOINT = StageConfig('3-joint', 1650, 1.0e-3)

Batches = Iterator[Callable[[], Losses]]


@dataclass(frozen=True)
class Recipe:
    """Nano's training; docs/models.md tells how the bundle that is shipped came from it."""

    shards: int = 90  # none is needed twice
    per_shard: int = 1000  # scenes
    seed: int = 0
    batch: int = 32
    turns: int = 14  # questions an image
    compiled: bool = True  # blocks and projector, which pays off over many steps
    vision: StageConfig = VISION
    language: StageConfig = LANGUAGE
    joint: StageConfig = JOINT


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
        self.head = torch.tensor([self.tokenizer.bos_id(), *self.tokenizer.encode(HEAD)])
        self.words = torch.tensor([self.tokenizer.encode(name)[0] for name in NAMES])
        self._turns: dict[int, list[list[Turn]]] = {}

    def run(self) -> Path:
        """All stages; returns the checkpoint's folder."""
        recipe, model = self.recipe, self.model
        everything = {
            'tower': model.tower,
            'projector': model.projector,
            'heads': self.heads,
            'llama': model.llama,
        }
        if recipe.compiled:
            self._compile()
        self._stage(recipe.vision, everything, self._vision)
        self._stage(recipe.language, {'llama': model.llama}, self._language)
        self._stage(recipe.joint, everything, self._joint)
        folder = self.folder / 'checkpoint'
        save_checkpoint(self.model, self._usage(), self.folder / VOCABULARY, folder)
        return folder

    def _compile(self) -> None:
        for module in (self.model.tower, self.model.projector, *self.model.llama.model.layers):
            module.compile()

    def _stage(
        self, config: StageConfig, modules: dict[str, nn.Module], batches: Callable[[int], Batches]
    ) -> None:
        stage = Stage(config, modules, self.folder)
        if not stage.finished:
            stage.run(batches(stage.step))

    def _usage(self) -> Usage:
        return Usage(
            name='nano',
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

    def _tokenizer(self) -> sentencepiece.SentencePieceProcessor:
        path = self.folder / VOCABULARY
        if not path.exists():
            shards = range(min(TEXT_SHARDS, self.data.shards))
            rows = [row for i in shards for row in self.data.read(i).questions]
            texts = [t for row in rows for _, q, a in row for t in (_as_text(q), a)]
            train_tokenizer([*texts, *[HEAD] * 50], Geometry().vocabulary, path)
        return load_tokenizer(path)

    def _vision(self, start: int) -> Batches:
        """Batches of the first stage: dense losses alone."""
        generator = torch.Generator().manual_seed(start)
        for shard, rows in self.data.batches(self.recipe.batch, 11, start):
            yield partial(self._dense_losses, shard, rows, generator)

    def _language(self, start: int) -> Batches:
        """Batches of the second stage: the tower and projector stand still."""
        encoded: dict[int, Tensor] = {}
        for shard, rows in self.data.batches(self.recipe.batch, 12, start):
            if shard.index not in encoded:
                encoded[shard.index] = self._encode(shard.images)
            visual = encoded[shard.index][rows].float()
            yield partial(self._spoken_losses, visual, self._pack(shard, rows))

    def _joint(self, start: int) -> Batches:
        """Batches of the last stage: dense and spoken losses through everything."""
        generator = torch.Generator().manual_seed(start)
        for shard, rows in self.data.batches(self.recipe.batch, 13, start):
            packed = self._pack(shard, rows)
            yield partial(self._joint_losses, shard, rows, packed, generator)

    def _dense_losses(self, shard: Shard, rows: np.ndarray, generator: torch.Generator) -> Losses:
        return self._see(shard, rows, generator)[0]

    def _spoken_losses(self, visual: Tensor, packed: Packed) -> Losses:
        with torch.autocast('cpu', torch.bfloat16):
            return language_losses(self.model, self.head, visual, packed, KINDS)

    def _joint_losses(
        self, shard: Shard, rows: np.ndarray, packed: Packed, generator: torch.Generator
    ) -> Losses:
        losses, visual = self._see(shard, rows, generator)
        dense = torch.stack(list(losses.values())).sum() * 0.3
        return {'dense': dense, **self._spoken_losses(visual, packed)}

    def _see(
        self, shard: Shard, rows: np.ndarray, generator: torch.Generator
    ) -> tuple[Losses, Tensor]:
        images, labels, room = to_tensors(shard, rows)
        pixels = augment(images, generator)
        with torch.autocast('cpu', torch.bfloat16):
            return vision_losses(self.model, self.heads, self.words, pixels, labels, room)

    def _pack(self, shard: Shard, rows: np.ndarray) -> Packed:
        """Some of the questions about each of these images, chosen each time."""
        if shard.index not in self._turns:
            self._turns[shard.index] = [
                to_turns(asked, self.tokenizer, KINDS) for asked in shard.questions
            ]
        turns, rng = self._turns[shard.index], np.random.default_rng([shard.index, *rows])
        once = KINDS.index(ONCE)
        return pack([choose_turns(turns[i], self.recipe.turns, once, rng) for i in rows], PADDING)

    @torch.no_grad()
    def _encode(self, images: np.ndarray) -> Tensor:
        """Visual tokens of a shard, float16, from pixels without accidents."""
        self.model.eval()
        with torch.autocast('cpu', torch.bfloat16):
            parts = [
                self.model.encode(normalise(torch.from_numpy(images[i : i + ENCODE_BATCH]))).half()
                for i in range(0, len(images), ENCODE_BATCH)
            ]
        self.model.train()
        return torch.cat(parts)


def _as_text(question: str) -> str:
    return QUESTION.format(question=question).strip()
