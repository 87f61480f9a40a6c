"""What a GGUF file's tensors are worth, in float32 and under their official names.

A quantised file is proved in two steps that do not depend on how much the model loses by it:
each tensor against the source's, and llama.cpp against transformers over the file's own tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import dequantize
from torch import Tensor
from tqdm import tqdm
from transformers import LlamaForCausalLM

from mobilevlm_ros.convert.llama_gguf import gguf_name, llama_shapes, rope_heads, unpermute_rope
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.engine.errors import BackendError, BundleFileError
from mobilevlm_ros.model.mobilevlm import Geometry


def load_dequantised(path: Path, source: Source) -> tuple[Any, dict[str, float]]:
    """LlamaForCausalLM in float32 of a file's tensors, and the cosine of each with the source's.

    Raises:
        BundleFileError: if the file lacks a tensor, or has one of another shape.
        BackendError: if it has a type that the gguf package cannot take apart.
    """
    model = LlamaForCausalLM(source.geometry.llama())
    weights = model.state_dict()
    cosines = {}
    with torch.no_grad():
        count = len(llama_shapes(source.geometry))
        tensors = read_tensors(path, source.geometry)
        for name, tensor in tqdm(tensors, 'file, float32', count, unit='tensor'):
            weights[name].copy_(tensor)
            cosines[name] = cosine(tensor, source.read(name).float())
    return model.eval(), cosines


def read_tensors(path: Path, geometry: Geometry) -> Iterator[tuple[str, Tensor]]:
    """Official name and float32 values of each tensor of the language model, one at a time."""
    there = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    for name, shape in llama_shapes(geometry).items():
        stored = there.get(gguf_name(name))
        if stored is None or tuple(reversed(stored.shape.tolist())) != shape:
            raise BundleFileError(
                f'{path} has no {gguf_name(name)} of the shape {shape}; convert the model again'
            )
        try:
            values = torch.from_numpy(dequantize(stored.data, stored.tensor_type).copy())
        except NotImplementedError as error:  # gguf's, for a type that it cannot take apart
            raise BackendError(f'{path}: {error}; verify a file of another type') from error
        heads = rope_heads(name, geometry)
        yield name, unpermute_rope(values, heads) if heads else values


def cosine(found: Tensor, expected: Tensor) -> float:
    """Of all values of two tensors; 1 where both are zero everywhere."""
    norms = float(found.norm()) * float(expected.norm())
    product = float((found * expected).sum())
    return product / norms if norms else float(np.array_equal(found, expected))
