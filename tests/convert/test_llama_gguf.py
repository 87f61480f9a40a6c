"""GGUF against the PyTorch model and the sentencepiece library that it was written from."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import pytest
import sentencepiece
import torch
from torch import Tensor

from mobilevlm_ros.convert.llama_gguf import F16, F32, gguf_name, permute_rope, write_llama
from mobilevlm_ros.convert.source import Source, load_reference, open_source
from mobilevlm_ros.convert.weights import Weights
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import MobileVlm
from tests.convert.support import TINY, half_weights, make_model, write_official

NASTY = [
    'What is ahead?',
    '\nIs there a red box? ASSISTANT:',
    '  two  spaces  ',
    'café naïve Größe',
    '机器人看到了什么？',
    '🤖🚪👩‍🚀',
    'tab\tnewline\nreturn\r\x01\x7f',
    'a' * 300,
    '0123456789 3.14159',
    '▁already▁marked',
]
LIKE_3B: dict[str, Any] = {'width': 160, 'heads': 2}  # heads of 80
VARIANTS: dict[str, dict[str, Any]] = {
    'heads of 80': LIKE_3B,
    'shared keys': {'kv_heads': 2},
    'tied': {'tied': True},
    'other numbers': {'rope_theta': 500000.0, 'rms_eps': 1e-3},
}


def load(path: Path) -> llama_cpp.Llama:
    return llama_cpp.Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=1)


def logits_of(llama: llama_cpp.Llama, tokens: list[int]) -> np.ndarray:
    llama.reset()
    llama.eval(tokens)
    return np.array(llama.scores[: len(tokens)])


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / norms).min())


@pytest.fixture(scope='module')
def loaded(
    source: Source, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[llama_cpp.Llama]:
    path = tmp_path_factory.mktemp('gguf') / 'llm.gguf'
    write_llama(source, path, F32)
    llama = load(path)
    yield llama
    llama.close()


@pytest.mark.parametrize('text', NASTY)
def test_llama_cpp_tokenises_as_sentencepiece(
    loaded: llama_cpp.Llama, tokenizer: sentencepiece.SentencePieceProcessor, text: str
) -> None:
    found = loaded.tokenize(text.encode(), add_bos=False, special=False)
    assert found == tokenizer.encode(text)


def test_logits_are_pytorch_s(
    loaded: llama_cpp.Llama, model: MobileVlm, tokenizer: sentencepiece.SentencePieceProcessor
) -> None:
    tokens = [1, *tokenizer.encode('Is the path ahead clear? A red box')]
    with torch.no_grad():
        expected = model.llama(torch.tensor([tokens])).logits[0].numpy()
    found = logits_of(loaded, tokens)
    assert cosine(found, expected) > 0.9999
    assert (found.argmax(1) == expected.argmax(1)).all()


@pytest.mark.parametrize('kind', [F16, F32], ids=['f16', 'f32'])
@pytest.mark.parametrize('variant', VARIANTS)
def test_every_geometry_keeps_its_logits(
    tmp_path: Path, vocabulary: Path, variant: str, kind: gguf.GGMLQuantizationType
) -> None:
    geometry = replace(TINY, layers=2, **VARIANTS[variant])
    weights = half_weights(make_model(geometry, scale=4.0))
    source = open_source(write_official(tmp_path / 'v', vocabulary, geometry, weights))
    write_llama(source, tmp_path / 'llm.gguf', kind)
    tokens = list(range(1, 360, 9))
    with torch.no_grad():
        expected = load_reference(source).llama(torch.tensor([tokens])).logits[0].numpy()
    llama = load(tmp_path / 'llm.gguf')
    assert cosine(logits_of(llama, tokens), expected) > 0.9999
    llama.close()


class Counting:
    """Weights that know how many of the tensors that they gave away are alive at once."""

    def __init__(self, inner: Weights) -> None:
        self.inner, self.most, self.read_names = inner, 0, list[str]()
        self._alive: weakref.WeakSet[Tensor] = weakref.WeakSet()

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.inner.shapes()

    def read(self, name: str) -> Tensor:
        tensor = self.inner.read(name).clone()
        self._alive.add(tensor)
        self.most = max(self.most, len(self._alive))
        self.read_names.append(name)
        return tensor


def test_one_tensor_is_in_memory_at_a_time_and_none_of_the_tower(
    source: Source, tmp_path: Path
) -> None:
    counting = Counting(source.weights)
    gc.disable()
    try:
        write_llama(replace(source, weights=counting), tmp_path / 'llm.gguf')
    finally:
        gc.enable()
    assert counting.most == 1
    assert sorted(counting.read_names) == sorted(n for n in source.names() if '.mm_' not in n
                                                 and 'vision_tower' not in n)  # fmt: skip


def test_what_float16_cannot_hold_is_named(tmp_path: Path, vocabulary: Path) -> None:
    name = 'model.layers.0.mlp.up_proj.weight'
    weights = {k: v.float() for k, v in half_weights(make_model(TINY)).items()}
    weights[name][3, 4] = 1e6
    source = open_source(write_official(tmp_path / 'v', vocabulary, weights=weights))
    with pytest.raises(CheckpointError, match=f'{name} has values that are not finite'):
        write_llama(source, tmp_path / 'llm.gguf')


def test_rope_s_rows_move_from_halves_to_pairs() -> None:
    rows = torch.arange(8.0)[:, None]
    assert permute_rope(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_tensors_are_named_as_llama_cpp_names_them() -> None:
    assert gguf_name('lm_head.weight') == 'output.weight'
    assert gguf_name('model.layers.11.mlp.up_proj.weight') == 'blk.11.ffn_up.weight'
    with pytest.raises(KeyError):
        gguf_name('model.layers.0.mlp.other.weight')
