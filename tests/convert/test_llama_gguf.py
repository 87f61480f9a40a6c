"""GGUF against the PyTorch model and the sentencepiece library that it was written from."""

from collections.abc import Iterator

import gguf
import llama_cpp
import numpy as np
import pytest
import sentencepiece
import torch

from mobilevlm_ros.convert.llama_gguf import gguf_name, permute_rope, write_llama
from mobilevlm_ros.model.mobilevlm import MobileVlm

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


@pytest.fixture(scope='module')
def loaded(
    model: MobileVlm,
    tokenizer: sentencepiece.SentencePieceProcessor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[llama_cpp.Llama]:
    path = tmp_path_factory.mktemp('gguf') / 'llm.gguf'
    f32 = gguf.GGMLQuantizationType.F32
    weights, config = model.llama.state_dict(), model.geometry.llama()
    write_llama(weights, config, tokenizer, 'small', path, f32)
    llama = llama_cpp.Llama(str(path), n_ctx=128, logits_all=True, verbose=False, n_threads=1)
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
    loaded.reset()
    loaded.eval(tokens)
    found = np.array(loaded.scores[: len(tokens)])
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(1) / norms).min() > 0.9999
    assert (found.argmax(1) == expected.argmax(1)).all()


def test_rope_s_rows_move_from_halves_to_pairs() -> None:
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert permute_rope(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_tensors_are_named_as_llama_cpp_names_them() -> None:
    assert gguf_name('lm_head.weight') == 'output.weight'
    assert gguf_name('model.layers.11.mlp.up_proj.weight') == 'blk.11.ffn_up.weight'
    with pytest.raises(KeyError):
        gguf_name('model.layers.0.mlp.other.weight')
