"""Tiny checkpoints in the manner of the official ones."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mobilevlm_ros.model.config import write_config
from mobilevlm_ros.model.mobilevlm import TOWER, Geometry, MobileVlm

TINY = Geometry(
    image_size=56, patch_size=14, vision_width=32, vision_layers=1, vision_heads=2, width=64,
    layers=1, heads=4, feed_forward=256, vocabulary=364, context=256,
)  # fmt: skip
OWN = 'vision_model.'


def make_model(geometry: Geometry, seed: int = 0, scale: float = 6.0) -> MobileVlm:
    """A seeded model with one block more than is used, and logits far apart."""
    torch.manual_seed(seed)
    model = MobileVlm(replace(geometry, vision_layers=geometry.vision_layers + 1)).eval()
    for parameter in model.llama.parameters():
        if parameter.ndim > 1:
            parameter.data *= scale
    return model


def official_config(geometry: Geometry) -> dict[str, Any]:
    """config.json as mtgv's, left-over keys included."""
    return {
        **write_config(geometry, select_layer=-2),
        '_name_or_path': '/mnt/outputs/mobilellama',
        'mm_vision_tower': 'openai/clip-vit-large-patch14-336',
        'mm_use_im_patch_token': False,
        'mm_use_im_start_end': False,
        'n_head': 16,
        'n_query_groups': 16,
        'pretraining_tp': 1,
        'rope_scaling': None,
        'torch_dtype': 'float16',
        'use_mm_proj': True,
    }


def half_weights(model: MobileVlm) -> dict[str, torch.Tensor]:
    return {name: weight.half().clone() for name, weight in model.named_weights().items()}


def write_official(
    folder: Path,
    vocabulary: Path,
    geometry: Geometry = TINY,
    weights: dict[str, torch.Tensor] | None = None,
    file: str = 'pytorch_model.bin',
) -> Path:
    """A whole checkpoint in one file of weights."""
    folder.mkdir(parents=True)
    (folder / 'config.json').write_text(json.dumps(official_config(geometry)))
    shutil.copy(vocabulary, folder / 'tokenizer.model')
    write_weights(folder / file, weights or half_weights(make_model(geometry)))
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    """Change keys of a checkpoint's config.json."""
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def write_weights(path: Path, weights: dict[str, torch.Tensor]) -> None:
    if path.suffix == '.safetensors':
        save_file(weights, path, metadata={'format': 'pt'})
    else:
        torch.save(weights, path)


def write_shards(folder: Path, stem: str, weights: dict[str, torch.Tensor]) -> list[Path]:
    """Two shards and their index in the place of what weights there were."""
    name, suffix = stem.split('.')
    names = list(weights)
    halves = {1: names[: len(names) // 2], 2: names[len(names) // 2 :]}
    files = {i: f'{name}-0000{i}-of-00002.{suffix}' for i in halves}
    for i, part in halves.items():
        write_weights(folder / files[i], {k: weights[k] for k in part})
    weight_map = {k: files[i] for i, part in halves.items() for k in part}
    (folder / f'{stem}.index.json').write_text(json.dumps({'weight_map': weight_map}))
    return [folder / file for file in files.values()]


def write_clip(folder: Path, geometry: Geometry, weights: dict[str, torch.Tensor]) -> Path:
    """The tower of these weights in a folder of its own, as CLIP's."""
    folder.mkdir(parents=True)
    own = {OWN + k.removeprefix(TOWER): v for k, v in weights.items() if k.startswith(TOWER)}
    save_file({**own, 'logit_scale': torch.ones(1)}, folder / 'model.safetensors')
    tower = replace(geometry, vision_layers=geometry.vision_layers + 1).clip()
    config = {'model_type': 'clip', 'vision_config': tower.to_dict()}
    (folder / 'config.json').write_text(json.dumps(config))
    return folder
