"""A checkpoint as conversion and proof read it: sizes, words, and tensors one at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from mobilevlm_ros.convert.beside import (
    CAPTION,
    find_vocabulary,
    read_json,
    read_license,
    read_preprocessing,
    read_prompt,
)
from mobilevlm_ros.convert.contents import find_folder, has_adapter, list_names
from mobilevlm_ros.convert.hub import download
from mobilevlm_ros.convert.vocabulary import ADDED
from mobilevlm_ros.convert.weights import Renamed, Shards, Weights, open_weights, weight_files
from mobilevlm_ros.engine.bundle import MAX_TOKENS
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.config import (
    CLIP_TYPES,
    check_architecture,
    named_tower,
    read_geometry,
    read_resize,
    tower_config,
)
from mobilevlm_ros.model.mobilevlm import TOWER, Geometry, MobileVlm, Vision, weight_shapes
from mobilevlm_ros.model.names import CONFIG, OURS, model_name

# Releases of transformers differ in whether a tower's names have this inner level.
INNER = 'vision_model.'
OUTER = TOWER.removesuffix(INNER)
TOWER_PARTS = ('embeddings.', 'encoder.', 'pre_layrnorm.', 'post_layernorm.')

# Eight bits have scales of their own beside them.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

_logger = logging.getLogger(__name__)

Fetch = Callable[[str], Path]
Model = TypeVar('Model', bound=Vision)


@dataclass(frozen=True)
class Source:
    """An opened checkpoint; its tensors have the official names and are read when asked for."""

    name: str
    geometry: Geometry
    prompt: dict[str, Any]  # as in bundle.json
    preprocessing: dict[str, list[float]]  # mean and std of RGB in [0, 1]
    resize: str  # as in bundle.json
    max_tokens: int  # of an answer, if nobody says otherwise
    caption: str  # the question that a caption answers
    license: str
    provenance: dict[str, Any]
    tokenizer: Path  # of the SentencePiece model
    files: tuple[Path, ...]  # all that were opened
    weights: Weights

    def names(self) -> list[str]:
        """The tensors that the geometry asks for, under their official names."""
        return list(weight_shapes(self.geometry))

    def read(self, name: str) -> Tensor:
        """One tensor as it is stored; only its bytes are read.

        Raises:
            CheckpointError: if it is of another type, as weights that are quantised already are.
        """
        tensor = self.weights.read(name)
        if tensor.dtype not in FLOATS:
            raise CheckpointError(
                f'{name} is of type {tensor.dtype} where float16, bfloat16 or float32 was '
                'expected; convert the checkpoint as it was before it was quantised'
            )
        return tensor


def open_source(
    where: str | Path, vision_tower: str | Path | None = None, fetch: Fetch = download
) -> Source:
    """Open a checkpoint and check that it has all that a conversion needs.

    Args:
        where: its folder, or its name on the Hugging Face hub.
        vision_tower: folder or hub name of a CLIP to take instead of the checkpoint's own tower.
        fetch: what finds the folder of a hub name.

    Raises:
        CheckpointError: naming what is missing, misshapen, damaged or not served.
    """
    try:
        source = _open(where, vision_tower, fetch)
    except OSError as error:
        raise CheckpointError(
            f'{error.filename or where} cannot be read: {error.strerror or error}'
        ) from error
    check_tensors(source)
    return source


def _open(where: str | Path, vision_tower: str | Path | None, fetch: Fetch) -> Source:
    folder = find_folder(where) or fetch(str(where))
    config = _read_config(folder)
    check_architecture(config)
    files = weight_files(folder)
    weights = _official(open_weights(files))
    if vision_tower is None and not any(name.startswith(TOWER) for name in weights.shapes()):
        vision_tower = named_tower(config)
    tower_folder = _find_tower(vision_tower, fetch) if vision_tower else None
    tower_files = weight_files(tower_folder) if tower_folder else []
    if tower_files:
        weights = _replace_tower(weights, open_weights(tower_files))
    geometry = read_geometry(config, _tower_sizes(config, tower_folder))
    ours = _section(config, OURS, {})
    return Source(
        name=ours.get('name') or model_name(where).rpartition('/')[2],
        geometry=geometry,
        prompt=ours.get('prompt') or read_prompt(folder),
        preprocessing=ours.get('preprocessing')
        or read_preprocessing(geometry.image_size, tower_folder, folder),
        resize=read_resize(config),
        max_tokens=ours.get('max_tokens', MAX_TOKENS),
        caption=ours.get('caption', CAPTION),
        license=ours.get('license') or read_license(folder),
        provenance=ours.get('provenance') or _provenance(where, vision_tower, config),
        tokenizer=find_vocabulary(folder),
        files=(folder / CONFIG, *files, *tower_files, *folder.glob(ADDED)),
        weights=weights,
    )


def check_tensors(source: Source) -> None:
    """Compare the names and shapes that are there with those that the geometry asks for."""
    found = source.weights.shapes()
    expected = weight_shapes(source.geometry)
    if missing := [name for name in expected if name not in found]:
        more = f' and {len(missing) - 1} more' if len(missing) > 1 else ''
        raise CheckpointError(
            f'the checkpoint lacks the tensor {missing[0]}{more}; {_cure(missing)}'
        )
    for name, shape in expected.items():
        if found[name] != shape:
            raise CheckpointError(
                f'{name} has the shape {found[name]} where {shape} was expected by config.json'
            )


def load_vision(source: Source) -> Vision:
    """The tower and the projector in float32, ready for inference."""
    return _fill(Vision(source.geometry), source)


def load_reference(source: Source) -> MobileVlm:
    """The whole model in float32, ready for inference."""
    return _fill(MobileVlm(source.geometry), source)


def _fill(model: Model, source: Source) -> Model:
    with torch.no_grad():
        for name, weight in model.named_weights().items():
            weight.copy_(source.read(name))
    model.eval()
    return model


def _find_tower(where: str | Path, fetch: Fetch) -> Path:
    try:
        return find_folder(where) or fetch(str(where))
    except CheckpointError as error:
        raise CheckpointError(
            f"no vision tower: {error}. Give that CLIP's folder as --vision-tower"
        ) from error


def _official(weights: Weights) -> Weights:
    """The tensors under the names that official checkpoints have."""
    names = weights.shapes()
    own = {n for n in names if n.startswith(OUTER) and not n.startswith(TOWER)}
    return Renamed(weights, {n.replace(OUTER, TOWER) if n in own else n: n for n in names})


def _replace_tower(weights: Weights, tower: Weights) -> Weights:
    """The same with the tower of a CLIP's own weights."""
    rest = {name: name for name in weights.shapes() if not name.startswith(TOWER)}
    inner = {name.removeprefix(INNER): name for name in tower.shapes()}
    own = {TOWER + k: name for k, name in inner.items() if k.startswith(TOWER_PARTS)}
    return Shards([Renamed(weights, rest), Renamed(tower, own)])


def _read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a checkpoint."""
    names = list_names(folder)
    if has_adapter(names):
        _logger.warning(
            '%s has an adapter_config.json beside the weights; the weights are taken as they are. '
            'If that LoRA is not merged into them yet, merge it first', folder,
        )  # fmt: skip
    if CONFIG not in names:
        inside = sorted(path.parent for path in folder.glob(f'*/{CONFIG}'))
        inside += sorted(path.parent for path in folder.glob(f'snapshots/*/{CONFIG}'))
        more = f'; is {inside[-1]} what you mean?' if inside else ''
        raise CheckpointError(f'{folder / CONFIG} is not there; expected a checkpoint{more}')
    return read_json(folder / CONFIG)


def _tower_sizes(config: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The CLIP config of the tower's own folder, else what the checkpoint says of it."""
    if folder is None:
        return dict(tower_config(config))
    content = read_json(folder / CONFIG)
    if content.get('model_type', CLIP_TYPES[0]) not in CLIP_TYPES:
        raise CheckpointError(
            f'{folder} is no vision tower: its model_type is {content.get("model_type")!r}, not '
            f'{" or ".join(CLIP_TYPES)}; give a CLIP such as openai/clip-vit-large-patch14-336'
        )
    return _section(content, 'vision_config', content)


def _section(config: dict[str, Any], key: str, default: dict[str, Any]) -> dict[str, Any]:
    found = config.get(key, default)
    if not isinstance(found, dict):
        raise CheckpointError(f'config.json: {key} must be an object, not {found!r:.60}')
    return dict(found)


def _provenance(
    where: str | Path, tower: str | Path | None, config: dict[str, Any]
) -> dict[str, Any]:
    """Names alone: a path would say more of the machine than of the model."""
    base = config.get('_name_or_path')
    given = {'checkpoint': where, 'vision_tower': tower, 'trained_from': base}
    return {key: model_name(str(value)) for key, value in given.items() if value}


def _cure(missing: list[str]) -> str:
    if all(name.startswith(TOWER) for name in missing):
        return "give the CLIP tower's folder or hub name as --vision-tower"
    return 'download it again'
