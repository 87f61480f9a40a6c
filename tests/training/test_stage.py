import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from mobilevlm_ros.training.stage import Losses, Stage, StageConfig

CONFIG = StageConfig('toy', steps=20, lr=0.05, warmup=2, save_every_s=0.0)


def toy() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({'layers': nn.ModuleList([nn.Linear(4, 4)]), 'out': nn.Linear(4, 1)})


def compute(model: nn.Module, step: int) -> Losses:
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
    hidden = torch.relu(model['layers'][0](x))
    return {'square': (model['out'](hidden)[:, 0] - x.sum(1)).square().mean()}


def batches(model: nn.Module, start: int, stop: int | None = None) -> Iterator[Callable]:
    for step in count(start):
        if step == stop:
            raise KeyboardInterrupt
        yield partial(compute, model, step)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_killed_stage_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = toy()
    Stage(CONFIG, {'toy': whole}, tmp_path / 'whole').run(batches(whole, 0))
    first = toy()
    with pytest.raises(KeyboardInterrupt):
        Stage(CONFIG, {'toy': first}, tmp_path / 'cut').run(batches(first, 0, stop=11))
    again = toy()
    stage = Stage(CONFIG, {'toy': again}, tmp_path / 'cut')
    assert stage.step == 11
    stage.run(batches(again, stage.step))
    assert torch.equal(weights(whole), weights(again))


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    model = toy()
    Stage(CONFIG, {'toy': model}, tmp_path).run(batches(model, 0))
    stage = Stage(CONFIG, {'toy': toy()}, tmp_path)
    assert stage.finished


def test_losses_are_logged_and_fall(tmp_path: Path) -> None:
    model = toy()
    config = StageConfig('toy', steps=200, lr=0.02, warmup=2)
    Stage(config, {'toy': model}, tmp_path).run(batches(model, 0))
    rows = [json.loads(line) for line in (tmp_path / 'toy.jsonl').read_text().splitlines()]
    assert [row['step'] for row in rows] == list(range(10, 201, 10))
    assert rows[-1]['square'] < rows[0]['square'] / 2
