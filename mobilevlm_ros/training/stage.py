"""One stage of training: Muon and AdamW, cosine schedule, progress bar, resumable checkpoints.

Muon (https://kellerjordan.github.io/posts/muon) updates the matrices inside the transformers'
blocks, AdamW all else: embeddings, read-outs, convolutions, norms.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class StageConfig:
    """How one stage runs; the learning rate falls from `lr` to `lr * final` along a cosine."""

    name: str
    steps: int
    lr: float
    warmup: int = 100
    final: float = 0.02
    weight_decay: float = 0.05
    clip: float = 1.0
    save_every_s: float = 120.0


def create_optimisers(modules: nn.Module, config: StageConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of blocks, with steps as large as AdamW's; AdamW for the rest."""
    named = [(n, p) for n, p in modules.named_parameters() if p.requires_grad]
    inner = {n for n, p in named if p.ndim == 2 and '.layers.' in n}
    muon = torch.optim.Muon(
        [p for n, p in named if n in inner],
        lr=config.lr,
        weight_decay=config.weight_decay,
        adjust_lr_fn='match_rms_adamw',
    )
    adamw = torch.optim.AdamW(
        [p for n, p in named if n not in inner],
        lr=config.lr,
        betas=(0.9, 0.98),
        weight_decay=config.weight_decay,
    )
    return [muon, adamw]


class Stage:
    """Runs the steps of a stage; all its files lie under `folder` with the stage's name."""

    def __init__(self, config: StageConfig, modules: dict[str, nn.Module], folder: Path) -> None:
        self.config = config
        self.modules = nn.ModuleDict(modules)
        self.file = folder / f'{config.name}.pt'
        self.log = folder / f'{config.name}.jsonl'
        self.parameters = [p for p in self.modules.parameters() if p.requires_grad]
        self.optimisers = create_optimisers(self.modules, config)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    @property
    def finished(self) -> bool:
        """Whether all steps were done, now or in an earlier run."""
        return self.step >= self.config.steps

    def run(self, losses: Iterator[Callable[[], Losses]]) -> None:
        """Take the remaining steps; each item computes the losses of one batch."""
        bar = tqdm(total=self.config.steps, initial=self.step, desc=self.config.name, unit='step')
        saved = time.monotonic()
        for compute in losses:
            if self.finished:
                break
            self._update(compute(), bar)
            if time.monotonic() - saved > self.config.save_every_s or self.finished:
                self._save()
                saved = time.monotonic()
        bar.close()

    def _update(self, losses: Losses, bar: tqdm) -> None:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group['lr'] = self._learning_rate()
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        bar.update()
        if self.step % 10 == 0 or self.finished:
            figures = {k: round(float(v.detach()), 4) for k, v in losses.items()}
            bar.set_postfix(figures)
            with self.log.open('a') as file:
                file.write(json.dumps({'step': self.step, **figures}) + '\n')

    def _learning_rate(self) -> float:
        config = self.config
        if self.step < config.warmup:
            return config.lr * (self.step + 1) / config.warmup
        done = (self.step - config.warmup) / max(1, config.steps - config.warmup)
        return config.lr * (config.final + (1 - config.final) * (1 + math.cos(math.pi * done)) / 2)

    def _save(self) -> None:
        state = {
            'step': self.step,
            'modules': self.modules.state_dict(),
            'optimisers': [optimiser.state_dict() for optimiser in self.optimisers],
        }
        partial = self.file.with_suffix('.partial')
        torch.save(state, partial)
        partial.rename(self.file)

    def _resume(self) -> None:
        if self.file.exists():
            state = torch.load(self.file, weights_only=True)
            self.modules.load_state_dict(state['modules'])
            for optimiser, saved in zip(self.optimisers, state['optimisers'], strict=True):
                optimiser.load_state_dict(saved)
            self.step = state['step']
