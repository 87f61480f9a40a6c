"""Seeded random checkpoints of the official models' exact sizes, to measure and to test with."""

from __future__ import annotations

import json
import math
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from mobilevlm_ros.convert.options import MODELS, TOWER_LAYERS
from mobilevlm_ros.convert.random_vocabulary import write_random_vocabulary
from mobilevlm_ros.convert.workspace import check_room, not_written
from mobilevlm_ros.engine.errors import CheckpointError, ConfigError
from mobilevlm_ros.model.config import write_config
from mobilevlm_ros.model.mobilevlm import Geometry, weight_shapes
from mobilevlm_ros.model.names import CONFIG, OURS, VOCABULARY, WEIGHTS

SMALL = Geometry(  # arXiv 2312.16886, table 2; CLIP ViT-L/14-336 less the block that is not used
    image_size=336,
    patch_size=14,
    vision_width=1024,
    vision_layers=TOWER_LAYERS,
    vision_heads=16,
    width=2048,
    layers=24,
    heads=16,
    feed_forward=5632,
    vocabulary=32000,
    context=2048,
)
LARGE = replace(SMALL, width=2560, layers=32, heads=32, feed_forward=6912)
VICUNA = replace(SMALL, width=4096, layers=32, heads=32, feed_forward=11008, rms_eps=1e-5)
V2 = [replace(sizes, projector='ldpv2') for sizes in (SMALL, LARGE, VICUNA)]
PRESETS = dict(zip(MODELS, (SMALL, LARGE, *V2), strict=True))
SHARD_BYTES = 512 << 20
STD = 0.02  # LLaMA's and CLIP's first weights
FACTS = 'random.json'  # what a folder was made from


def preset_geometry(name: str, layers: int = 0) -> Geometry:
    """The sizes of a preset, with this many blocks in tower and language model unless zero.

    Raises:
        ConfigError: if there is no such preset, or it has fewer blocks.
    """
    if name not in PRESETS:
        raise ConfigError(f'{name} is no preset; choose one of {", ".join(PRESETS)}')
    geometry = PRESETS[name]
    if not 0 <= layers <= geometry.vision_layers:
        raise ConfigError(f'{name} can have 1 to {geometry.vision_layers} layers, not {layers}')
    if not layers:
        return geometry
    return replace(geometry, layers=layers, vision_layers=layers)


def write_random_checkpoint(name: str, folder: Path, seed: int = 0, layers: int = 0) -> None:
    """Write the checkpoint of a preset, or keep the same one if it is there already.

    Raises:
        BundleError: if the disk is full.
        CheckpointError: if the folder holds something else.
        ConfigError: if there is no such preset, or it has fewer layers.
    """
    facts = {'random': name, 'seed': seed, 'layers': layers}
    geometry = preset_geometry(name, layers)
    if folder.exists():
        _check_same(folder, facts)
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
        check_room(_file_bytes(geometry), free, folder.parent)
        write_random(geometry, folder, seed, facts)
    except (OSError, SafetensorError) as error:
        raise not_written(folder, error) from error


def write_random(geometry: Geometry, folder: Path, seed: int, facts: dict[str, Any]) -> None:
    """Write a random checkpoint in the official format.

    Weights are drawn from the seed and their own names, as float16, and written in shards of
    half a gigabyte, of which one is in memory at a time. `facts` are what identifies it.
    """
    partial = folder.with_name(folder.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write_all(geometry, partial, seed, facts)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(partial)
        raise
    partial.rename(folder)


def _write_all(geometry: Geometry, folder: Path, seed: int, facts: dict[str, Any]) -> None:
    # Official towers have one block more than is used.
    _write_shards(replace(geometry, vision_layers=geometry.vision_layers + 1), folder, seed)
    write_random_vocabulary(folder / VOCABULARY, geometry.vocabulary)
    ours = {'name': f'{facts["random"]}-random', 'license': 'Apache-2.0', 'provenance': facts}
    config = {**write_config(geometry, select_layer=-2), OURS: ours}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + '\n', encoding='utf-8')
    (folder / FACTS).write_text(json.dumps(facts) + '\n', encoding='utf-8')


def random_weight(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    """float16, the same for the same name, shape and seed; scaled as an untrained model's."""
    generator = torch.Generator().manual_seed(zlib.crc32(f'{seed} {name}'.encode()))
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 1 and name.endswith('.weight'):  # of a norm
        return (1 + STD * noise).half()
    scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) == 4 else STD
    return noise.mul_(scale).half()


def _file_bytes(geometry: Geometry) -> int:
    return 2 * sum(math.prod(shape) for shape in weight_shapes(geometry).values())


def _check_same(folder: Path, facts: dict[str, Any]) -> None:
    path = folder / FACTS
    found = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None
    if found != facts:
        raise CheckpointError(
            f'{folder} exists already and is not {facts}; remove it or choose another folder'
        )


def _write_shards(geometry: Geometry, folder: Path, seed: int) -> None:
    shards = list(_shards(weight_shapes(geometry)))
    stem = WEIGHTS.removesuffix('.safetensors')
    weight_map: dict[str, str] = {}
    with tqdm(desc=folder.name, total=sum(map(len, shards)), unit='tensor') as bar:
        for number, shapes in enumerate(shards, 1):
            file = f'{stem}-{number:05}-of-{len(shards):05}.safetensors'
            tensors = {}
            for name, shape in shapes.items():
                tensors[name] = random_weight(name, shape, seed)
                bar.update()
            save_file(tensors, folder / file, metadata={'format': 'pt'})
            weight_map |= dict.fromkeys(tensors, file)
    index = {'metadata': {}, 'weight_map': weight_map}
    (folder / f'{WEIGHTS}.index.json').write_text(json.dumps(index, indent=1), encoding='utf-8')


def _shards(shapes: dict[str, tuple[int, ...]]) -> Iterator[dict[str, tuple[int, ...]]]:
    shard: dict[str, tuple[int, ...]] = {}
    size = 0
    for name, shape in shapes.items():
        more = math.prod(shape) * 2
        if shard and size + more > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = shape
        size += more
    yield shard
