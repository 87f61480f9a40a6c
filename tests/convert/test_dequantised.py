"""Tensors of a GGUF file that cannot be read."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from mobilevlm_ros.convert.dequantised import read_tensors
from mobilevlm_ros.convert.llama_gguf import gguf_name, llama_shapes
from mobilevlm_ros.engine.errors import BackendError, BundleFileError
from tests.convert.support import TINY


def write(path: Path, values: np.ndarray) -> Path:
    """A file whose first tensor has these values, and no other."""
    writer = gguf.GGUFWriter(path, 'llama')
    writer.add_tensor(gguf_name(next(iter(llama_shapes(TINY)))), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_type_that_cannot_be_taken_apart_is_named(tmp_path: Path) -> None:
    shape = next(iter(llama_shapes(TINY).values()))
    path = write(tmp_path / 'int8.gguf', np.zeros(shape, np.int8))
    with pytest.raises(BackendError, match=r'int8\.gguf: .*I8.*; verify a file of another type'):
        next(read_tensors(path, TINY))


def test_a_tensor_of_another_shape_is_told_from_one_that_is_there(tmp_path: Path) -> None:
    name, shape = next(iter(llama_shapes(TINY).items()))
    there = write(tmp_path / 'there.gguf', np.ones(shape, np.float32))
    found, values = next(read_tensors(there, TINY))
    assert found == name and tuple(values.shape) == shape and bool((values == 1).all())
    other = write(tmp_path / 'other.gguf', np.ones((shape[0] + 1, *shape[1:]), np.float32))
    with pytest.raises(BundleFileError, match=f'has no {gguf_name(name)} of the shape'):
        next(read_tensors(other, TINY))
