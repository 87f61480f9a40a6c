import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobilevlm_ros.convert import presets
from mobilevlm_ros.convert.presets import (
    PRESETS,
    preset_geometry,
    random_weight,
    write_random,
    write_random_checkpoint,
)
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine.bundle import sha256
from mobilevlm_ros.engine.errors import CheckpointError, ConfigError
from tests.convert.support import TINY

GEOMETRY = replace(TINY, vocabulary=1000, projector='ldpv2')
FACTS = {'random': 'tiny', 'seed': 3, 'layers': 0}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in folder.iterdir()}


def test_a_random_checkpoint_opens_as_an_official_one(tmp_path: Path) -> None:
    write_random(GEOMETRY, tmp_path / 'a', 3, FACTS)
    source = open_source(tmp_path / 'a')
    assert source.geometry == GEOMETRY
    assert source.name == 'tiny-random' and source.provenance == FACTS
    config = json.loads((tmp_path / 'a' / 'config.json').read_text())
    assert config['mm_vision_select_layer'] == -2
    assert config['vision_config']['num_hidden_layers'] == GEOMETRY.vision_layers + 1
    unused = 'model.vision_tower.vision_tower.vision_model.encoder.layers.1.mlp.fc1.bias'
    assert unused in source.weights.shapes() and unused not in source.names()


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ('a', 'b'):
        write_random(GEOMETRY, tmp_path / name, 3, FACTS)
    write_random(GEOMETRY, tmp_path / 'c', 4, FACTS)
    assert digests(tmp_path / 'a') == digests(tmp_path / 'b') != digests(tmp_path / 'c')


def test_no_tensor_is_like_another() -> None:
    shape = (64, 64)
    first, second = random_weight('a.weight', shape, 0), random_weight('b.weight', shape, 0)
    assert first.dtype == torch.float16
    assert float((first * second).float().mean().abs()) < 1e-4 < float(first.float().std())


def test_norms_begin_near_one_and_convolutions_keep_their_scale() -> None:
    norm = random_weight('model.norm.weight', (1000,), 0).float()
    assert float((norm - 1).abs().max()) < 0.1 and float(norm.std()) > 0.01
    kernel = random_weight('embeddings.patch_embedding.weight', (64, 3, 14, 14), 0).float()
    assert float(kernel.std()) == pytest.approx((3 * 14 * 14) ** -0.5, rel=0.05)


def test_what_is_there_already_is_kept_or_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'kept'
    write_random(GEOMETRY, folder, 0, {'random': 'mobilevlm-3b', 'seed': 0, 'layers': 2})
    before = (folder / 'config.json').stat().st_mtime_ns
    write_random_checkpoint('mobilevlm-3b', folder, layers=2)
    assert (folder / 'config.json').stat().st_mtime_ns == before
    with pytest.raises(CheckpointError, match='exists already and is not'):
        write_random_checkpoint('mobilevlm-3b', folder, layers=1)
    (tmp_path / 'mine').mkdir()
    with pytest.raises(CheckpointError, match='exists already and is not'):
        write_random_checkpoint('mobilevlm-3b', tmp_path / 'mine')


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError])
def test_one_that_is_stopped_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def stop(path: Path, size: int) -> None:
        raise error

    monkeypatch.setattr(presets, 'write_random_vocabulary', stop)
    with pytest.raises(error):
        write_random(GEOMETRY, tmp_path / 'a', 3, FACTS)
    assert not list(tmp_path.iterdir())


def test_presets_shrink_in_depth_alone() -> None:
    whole, small = preset_geometry('mobilevlm-v2-3b'), preset_geometry('mobilevlm-v2-3b', 2)
    assert small == replace(whole, layers=2, vision_layers=2)
    assert (whole.layers, whole.vision_layers, whole.visual_tokens) == (32, 23, 144)


def test_unknown_presets_and_depths_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'no preset; choose one of mobilevlm-1\.7b, '):
        preset_geometry('mobilevlm-9b')
    for layers in (-1, 24):
        with pytest.raises(ConfigError, match='1 to 23 layers'):
            preset_geometry('mobilevlm-1.7b', layers)
    assert len(PRESETS) == 5
