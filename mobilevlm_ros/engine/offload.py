"""How much of the language model runs on a GPU, and why not more."""

from __future__ import annotations

import re
from dataclasses import dataclass

ALL = -1
BACKEND = re.compile(r'(\w+) : ')  # how llama.cpp's account of itself begins each of its backends


@dataclass(frozen=True, slots=True)
class Offload:
    """Layers on a GPU, as llama.cpp counts them: its blocks, and one for the output."""

    layers: int
    of: int
    why: str = ''  # not all of them

    def __str__(self) -> str:
        reason = f': {self.why}' if self.why else ''
        return f'{self.layers} of {self.of} layers on a GPU{reason}'


def offload(wanted: int, blocks: int, supported: bool, system_info: str) -> Offload:
    """What llama.cpp does with the parameter `n_gpu_layers`.

    Args:
        wanted: the parameter; below zero: all.
        blocks: of the model.
        supported: what llama_supports_gpu_offload says: whether a GPU can be used here.
        system_info: what llama_print_system_info says: how llama.cpp was built.
    """
    layers = blocks + 1
    if not supported:
        return Offload(0, layers, _unsupported(system_info))
    if 0 <= wanted < layers:
        return Offload(wanted, layers, f'n_gpu_layers is {wanted}')
    return Offload(layers, layers)


def _unsupported(system_info: str) -> str:
    others = [name for name in BACKEND.findall(system_info) if name != 'CPU']
    if others:
        return f'this llama.cpp has {", ".join(others)}, which finds no GPU here'
    return 'this build of llama.cpp has no GPU support'
