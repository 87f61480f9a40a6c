"""Tensors of a checkpoint's files, one at a time: safetensors or PyTorch's own, whole or sharded.

PyTorch files are read with `weights_only`, which runs no pickled code. Both kinds are mapped into
memory, so that reading a tensor touches its bytes alone.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mobilevlm_ros.convert.contents import INDEX, STEMS, check_contents, choose_weights, list_names
from mobilevlm_ros.engine.errors import CheckpointError

POINTER = b'version https://git-lfs'  # how a file starts that was cloned without its content


class Weights(Protocol):
    """Named tensors that are read one by one."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor, without reading any."""

    def read(self, name: str) -> Tensor:
        """One tensor, as it is stored; KeyError if there is none of that name."""


class SafetensorsFile:
    """One .safetensors file; mapped again for each tensor, so that what was read can be let go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with safe_open(path, 'pt') as file:
            names: list[str] = file.keys()
            self._shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor."""
        with safe_open(self._path, 'pt') as file:
            tensor: Tensor = file.get_tensor(name)
            return tensor


class TorchFile:
    """One .bin file; mapped again for each tensor too, but whole in memory if it is PyTorch 1.5's.

    Raises:
        ValueError: if it holds something else than named tensors.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mapped = zipfile.is_zipfile(path)
        self._whole: dict[str, Any] = {}
        tensors = {k: v for k, v in self._load().items() if isinstance(v, Tensor)}
        self._shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        if not tensors:
            raise ValueError('it holds no tensors by their names')

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor."""
        tensor: Tensor = self._load()[name]
        return tensor

    def _load(self) -> dict[str, Any]:
        if self._whole:
            return self._whole
        content = torch.load(
            self._path, map_location='cpu', weights_only=True, mmap=self._mapped or None
        )
        if not isinstance(content, dict):
            raise ValueError(f'it holds a {type(content).__name__}, not named tensors')
        if not self._mapped:
            self._whole = content
        return content


class Renamed:
    """Some tensors under other names."""

    def __init__(self, weights: Weights, names: Mapping[str, str]) -> None:
        """Args: the tensors, and the stored name by the new one."""
        self._weights = weights
        self._names = names
        stored = weights.shapes()
        self._shapes = {name: stored[own] for name, own in names.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor."""
        return self._weights.read(self._names[name])


class Shards:
    """Several files as one; of tensors of one name the last counts."""

    def __init__(self, files: list[Weights]) -> None:
        self._shapes = {name: shape for file in files for name, shape in file.shapes().items()}
        self._files = {name: file for file in files for name in file.shapes()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor."""
        return self._shapes

    def read(self, name: str) -> Tensor:
        """One tensor."""
        return self._files[name].read(name)


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: one, or those that an index names.

    Of several the one is taken that transformers takes; shards that its index does not name, and
    an index beside a whole file, are left-overs.

    Raises:
        CheckpointError: if there are none, or a shard is missing.
    """
    names = list_names(folder)
    chosen = choose_weights(names)
    if chosen.endswith(INDEX):
        return _shards(folder / chosen)
    if chosen:
        return [folder / chosen]
    check_contents(folder, names)
    if lost := [path.name for path in folder.iterdir() if not path.exists()]:
        raise CheckpointError(
            f'{folder / lost[0]} is a link to a file that is not there; download it again'
        )
    raise CheckpointError(
        f'{folder} has no weights; expected {" or ".join(STEMS)}, or shards of them with an '
        'index. If they are pointers of Git LFS, run `git lfs pull` there'
    )


def open_weights(files: list[Path]) -> Weights:
    """Open weight files without reading their tensors.

    Raises:
        CheckpointError: naming the file that is truncated or damaged, or would run code.
    """
    return Shards([_open(path) for path in files])


def check_content(path: Path) -> None:
    """Raise CheckpointError if Git LFS has left a pointer in the place of the file."""
    with path.open('rb') as file:
        if file.read(len(POINTER)) == POINTER:
            raise CheckpointError(f'{path} is a pointer of Git LFS; run `git lfs pull` there')


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding='utf-8'))['weight_map'].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f'{index} is no index of shards: {error!r}') from error
    if strange := [n for n in names if not isinstance(n, str) or not _is_below(Path(n))]:
        raise CheckpointError(f'{index} names no file of its folder: {strange[0]!r}')
    if missing := [name for name in names if not (index.parent / name).is_file()]:
        raise CheckpointError(
            f'{index.parent} lacks {", ".join(missing)} of the {len(names)} shards that '
            f'{index.name} names; download it again{_without(index)}'
        )
    return [index.parent / name for name in names]


def _is_below(path: Path) -> bool:
    return path.name != '' and not path.is_absolute() and '..' not in path.parts


def _without(index: Path) -> str:
    """What would be taken if an index were not there."""
    others = {path.name for path in index.parent.iterdir()} - {index.name}
    other = choose_weights(others)
    return f', or remove {index.name} if {other} is what should be taken' if other else ''


def _open(path: Path) -> Weights:
    check_content(path)
    try:
        return SafetensorsFile(path) if path.suffix == '.safetensors' else TorchFile(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'{path} holds more than weights, and loading it would run code; '
            f'save it as safetensors where you trust it ({_first_line(error)})'
        ) from error
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise CheckpointError(
            f'{path} is truncated or damaged ({_first_line(error)}); download it again'
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
