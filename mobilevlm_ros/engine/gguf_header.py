"""What stands at the beginning of a GGUF file: sizes, and the type of every tensor.

The format is https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mobilevlm_ros.engine.errors import BundleFileError

STRING, ARRAY = 8, 9
SCALARS = dict(enumerate('BbHhIif?')) | {10: 'Q', 11: 'q', 12: 'd'}
MOST = 1 << 24  # entries of anything; more is damage


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file."""

    name: str
    kind: int  # its ggml_type
    bytes: int  # padding included


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Metadata without its arrays, and the tensors."""

    metadata: Mapping[str, Any]
    tensors: tuple[Tensor, ...]

    def size(self, name: str) -> int:
        """A number of the architecture's own, such as `block_count`."""
        key = f'{self.metadata.get("general.architecture")}.{name}'
        value = self.metadata.get(key)
        if not isinstance(value, int):
            raise BundleFileError(f'the GGUF file has no {key}; convert the model again')
        return value


def read_gguf_header(path: Path) -> GgufHeader:
    """Read the beginning of a GGUF file.

    Raises:
        BundleFileError: if it is not one, or cut short.
    """
    try:
        with path.open('rb') as file:
            return _header(file, path.stat().st_size)
    except (OSError, struct.error, ValueError, KeyError) as error:
        raise BundleFileError(
            f'{path} is not a whole GGUF file ({error}); copy the bundle again'
        ) from error


def _header(file: BinaryIO, size: int) -> GgufHeader:
    if file.read(4) != b'GGUF':
        raise ValueError('it does not begin with GGUF')
    _, tensors, entries = (_number(file, kind) for kind in 'IQQ')
    metadata = {}
    for _ in range(_checked(entries)):
        name = _text(file)
        metadata[name] = _value(file, _number(file, 'I'))
    found = [_tensor(file) for _ in range(_checked(tensors))]
    alignment = metadata.get('general.alignment', 32)
    begin = -(-file.tell() // alignment) * alignment
    ends = [offset for _, _, offset in found[1:]] + [size - begin]
    return GgufHeader(
        metadata,
        tuple(Tensor(n, k, end - o) for (n, k, o), end in zip(found, ends, strict=True)),
    )


def _tensor(file: BinaryIO) -> tuple[str, int, int]:
    """Name, type and offset."""
    name = _text(file)
    for _ in range(_checked(_number(file, 'I'))):
        _number(file, 'Q')
    return name, _number(file, 'I'), _number(file, 'Q')


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == STRING:
        return _text(file)
    if kind != ARRAY:
        return _number(file, SCALARS[kind])
    inner, count = _number(file, 'I'), _checked(_number(file, 'Q'))
    if inner in SCALARS:
        file.seek(count * struct.calcsize(SCALARS[inner]), 1)
    else:
        for _ in range(count):
            _value(file, inner)
    return None


def _text(file: BinaryIO) -> str:
    return file.read(_checked(_number(file, 'Q'))).decode(errors='replace')


def _number(file: BinaryIO, kind: str) -> Any:
    return struct.unpack(f'<{kind}', file.read(struct.calcsize(f'<{kind}')))[0]


def _checked(count: int) -> int:
    if count > MOST:
        raise ValueError(f'it has {count} entries')
    return count
