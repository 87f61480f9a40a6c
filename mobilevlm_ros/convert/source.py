"""A checkpoint as conversion and proof read it: sizes, words, and tensors one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from mobilevlm_ros.convert.hub import download
from mobilevlm_ros.convert.vocabulary import ADDED
from mobilevlm_ros.convert.weights import Weights, check_content, open_weights, weight_files
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.engine.paths import user_path
from mobilevlm_ros.model.checkpoint import CONFIG, OURS, VOCABULARY
from mobilevlm_ros.model.config import check_architecture, named_tower, read_geometry, tower_config
from mobilevlm_ros.model.mobilevlm import TOWER, Geometry, MobileVlm, Vision, weight_shapes

# Meituan-AutoML/MobileVLM, mobilevlm/conversation.py: conv_vicuna_v1, around `<image>`.
PROMPT = {
    'head': 'A chat between a curious user and an artificial intelligence assistant. '
    "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
    'question': '\n{question} ASSISTANT:',
    'turn': 'USER: {question} ASSISTANT:',  # behind an answer and its end token
    'stop': ['</s>'],
}
CAPTION = 'Describe the image briefly.'
CLIP_PIXELS = {
    'mean': [0.48145466, 0.4578275, 0.40821073],
    'std': [0.26862954, 0.26130258, 0.27577711],
}
PREPROCESSOR = 'preprocessor_config.json'
OWN_TOWER = 'vision_model.'  # how a CLIP folder's names begin

HUB_NAME = re.compile(r'[\w-][\w.-]*/[\w.-]+')  # owner/name

Fetch = Callable[[str], Path]
Model = TypeVar('Model', bound=Vision)


@dataclass(frozen=True)
class Source:
    """An opened checkpoint; its tensors have the official names and are read when asked for."""

    name: str
    geometry: Geometry
    prompt: dict[str, Any]  # as in bundle.json
    preprocessing: dict[str, list[float]]  # mean and std of RGB in [0, 1]
    caption: str  # the question that a caption answers
    license: str
    provenance: dict[str, Any]
    tokenizer: Path  # of the SentencePiece model
    files: tuple[Path, ...]  # all that were opened
    weights: Weights
    tower: Weights | None = None  # where the tower lies in a folder of its own

    def names(self) -> list[str]:
        """The tensors that the geometry asks for, under their official names."""
        return list(weight_shapes(self.geometry))

    def read(self, name: str) -> Tensor:
        """One tensor as it is stored; only its bytes are read.

        Raises:
            CheckpointError: if it holds whole numbers, as weights that are quantised already do.
        """
        if self.tower is not None and name.startswith(TOWER):
            tensor = self.tower.read(OWN_TOWER + name.removeprefix(TOWER))
        else:
            tensor = self.weights.read(name)
        if not tensor.is_floating_point():
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
    folder = _find(where, fetch)
    config = _read_json(folder / CONFIG)
    check_architecture(config)
    files = weight_files(folder)
    weights = open_weights(files)
    if vision_tower is None and not any(name.startswith(TOWER) for name in weights.shapes()):
        vision_tower = named_tower(config)
    tower_folder = _find_tower(vision_tower, fetch) if vision_tower else None
    tower_files = weight_files(tower_folder) if tower_folder else []
    ours = config.get(OURS, {})
    return Source(
        name=ours.get('name') or _short(where).rpartition('/')[2],
        geometry=read_geometry(config, _tower_sizes(config, tower_folder)),
        prompt=ours.get('prompt', PROMPT),
        preprocessing=ours.get('preprocessing') or _preprocessing(folder, tower_folder),
        caption=ours.get('caption', CAPTION),
        license=ours.get('license') or _license(folder),
        provenance=ours.get('provenance') or _provenance(where, vision_tower, config),
        tokenizer=_tokenizer(folder),
        files=(folder / CONFIG, *files, *tower_files, *folder.glob(ADDED)),
        weights=weights,
        tower=open_weights(tower_files) if tower_files else None,
    )


def check_tensors(source: Source) -> None:
    """Compare the names and shapes that are there with those that the geometry asks for."""
    found = dict(source.weights.shapes())
    if source.tower is not None:
        found = {k: v for k, v in found.items() if not k.startswith(TOWER)}
        own = source.tower.shapes().items()
        found |= {TOWER + k.removeprefix(OWN_TOWER): v for k, v in own if k.startswith(OWN_TOWER)}
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


def _find(where: str | Path, fetch: Fetch) -> Path:
    """A folder as it is, `owner/name` through the hub."""
    folder = user_path(where)
    if folder.is_dir():
        return folder
    if isinstance(where, str) and HUB_NAME.fullmatch(where):
        return fetch(where)
    raise CheckpointError(
        f'{where} is not a folder; expected a checkpoint with a {CONFIG}, or its name on the hub '
        'such as mtgv/MobileVLM_V2-1.7B'
    )


def _find_tower(where: str | Path, fetch: Fetch) -> Path:
    try:
        return _find(where, fetch)
    except CheckpointError as error:
        raise CheckpointError(
            f"no vision tower: {error}. Give that CLIP's folder as --vision-tower"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f'{path} is not there; expected the folder of a checkpoint')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise CheckpointError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} must hold a JSON object, not {type(content).__name__}')
    return content


def _tower_sizes(config: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The CLIP config of the tower's own folder, else what the checkpoint says of it."""
    if folder is None:
        return dict(tower_config(config))
    content = _read_json(folder / CONFIG)
    return dict(content.get('vision_config', content))


def _preprocessing(*folders: Path | None) -> dict[str, list[float]]:
    """Mean and std of the first preprocessor_config.json, else CLIP's."""
    for folder in folders:
        if folder is not None and (folder / PREPROCESSOR).is_file():
            content = _read_json(folder / PREPROCESSOR)
            names = {'mean': 'image_mean', 'std': 'image_std'}
            given = {our: content.get(key, CLIP_PIXELS[our]) for our, key in names.items()}
            return {key: _colour(folder / PREPROCESSOR, key, v) for key, v in given.items()}
    return CLIP_PIXELS


def _colour(path: Path, key: str, value: Any) -> list[float]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 3 or not all(type(v) in (int, float) and 0 <= v <= 1 for v in numbers):
        raise CheckpointError(f'{path}: image_{key} is {value!r}, not three numbers up to 1')
    return numbers


def _license(folder: Path) -> str:
    """What the model card's first lines say, else nothing."""
    card = folder / 'README.md'
    text = card.read_text(encoding='utf-8', errors='replace') if card.is_file() else ''
    found = re.match(r'---\n(?:.*\n)*?license: *(\S+)', text)
    return found[1] if found else ''


def _provenance(
    where: str | Path, tower: str | Path | None, config: dict[str, Any]
) -> dict[str, Any]:
    """Names alone: a path would say more of the machine than of the model."""
    base = config.get('_name_or_path')
    given = {'checkpoint': where, 'vision_tower': tower, 'trained_from': base}
    return {key: _short(value) for key, value in given.items() if value}


def _short(where: str | Path) -> str:
    if HUB_NAME.fullmatch(str(where)) and not Path(where).is_dir():
        return str(where)
    return Path(where).resolve().name


def _tokenizer(folder: Path) -> Path:
    path = folder / VOCABULARY
    if not path.is_file():
        raise CheckpointError(
            f'{path} is not there; expected the SentencePiece vocabulary (a tokenizer.json does '
            'not serve)'
        )
    check_content(path)
    return path


def _cure(missing: list[str]) -> str:
    if all(name.startswith(TOWER) for name in missing):
        return "give the CLIP tower's folder or hub name as --vision-tower"
    return 'download it again'
