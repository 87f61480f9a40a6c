"""A tiny real model: seeded random weights in real GGUF and ONNX files, made once a session."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import pytest
import sentencepiece
from onnx import TensorProto, helper, numpy_helper

from mobilevlm_ros.engine import (
    Caption,
    Engine,
    EngineConfig,
    EngineWorker,
    Frame,
    Gate,
    create_fake_engine,
    open_engine,
)
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.engine.support import Clock, Clocks

WIDTH, LAYERS, HEADS, FFN, CONTEXT = 64, 2, 2, 256, 256
SIZE, PATCH = 32, 8
TOKENS = (SIZE // PATCH) ** 2
PIECES = 420
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
HEAD = 'A robot answers questions about its camera image. USER: '
QUESTION = '\n{question} ASSISTANT:'
CORPUS = """\
A robot answers questions about its camera image. USER: What is ahead? ASSISTANT: a red box.
USER: Is the path ahead clear? ASSISTANT: yes, the path is clear, nothing stands in the way.
USER: What colour is the cone on the left? ASSISTANT: the cone on the left is yellow.
USER: How many barrels are there? ASSISTANT: there are three barrels, two of them near.
USER: Which way is free? ASSISTANT: turn right; a person stands by the table on the left.
USER: Describe the scene. ASSISTANT: a blue ball near ahead, a green door far to the right.
"""


def train_vocabulary() -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.splitlines()),
        model_writer=model,
        vocab_size=PIECES,
        model_type='bpe',
        byte_fallback=True,
        normalization_rule_name='identity',
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def write_gguf(path: Path, vocabulary: sentencepiece.SentencePieceProcessor) -> None:
    writer = gguf.GGUFWriter(path, 'llama')
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(PIECES)
    add_vocabulary(writer, vocabulary)
    for name, values in random_llama(np.random.default_rng(7)).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_vocabulary(
    writer: gguf.GGUFWriter, vocabulary: sentencepiece.SentencePieceProcessor
) -> None:
    ids = range(vocabulary.get_piece_size())
    writer.add_tokenizer_model('llama')
    writer.add_token_list([vocabulary.id_to_piece(i).encode() for i in ids])
    writer.add_token_scores([vocabulary.get_score(i) for i in ids])
    writer.add_token_types([token_type(vocabulary, i) for i in ids])
    writer.add_bos_token_id(vocabulary.bos_id())
    writer.add_eos_token_id(vocabulary.eos_id())
    writer.add_unk_token_id(vocabulary.unk_id())
    writer.add_add_space_prefix(True)


def token_type(vocabulary: sentencepiece.SentencePieceProcessor, token: int) -> int:
    if vocabulary.is_unknown(token):
        return int(gguf.TokenType.UNKNOWN)
    if vocabulary.is_control(token):
        return int(gguf.TokenType.CONTROL)
    return int(gguf.TokenType.BYTE if vocabulary.is_byte(token) else gguf.TokenType.NORMAL)


def random_llama(random: np.random.Generator) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, 0.3, (rows, columns)).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    tensors = {
        'token_embd.weight': matrix(PIECES, WIDTH),
        'output.weight': matrix(PIECES, WIDTH),
        'output_norm.weight': ones,
    }
    for block in range(LAYERS):
        name = f'blk.{block}.'
        for part in ('attn_q', 'attn_k', 'attn_v', 'attn_output'):
            tensors[f'{name}{part}.weight'] = matrix(WIDTH, WIDTH)
        tensors[f'{name}ffn_gate.weight'] = matrix(FFN, WIDTH)
        tensors[f'{name}ffn_up.weight'] = matrix(FFN, WIDTH)
        tensors[f'{name}ffn_down.weight'] = matrix(WIDTH, FFN)
        tensors[f'{name}attn_norm.weight'] = ones
        tensors[f'{name}ffn_norm.weight'] = ones
    return tensors


def write_onnx(path: Path) -> None:
    """One strided convolution: each patch of the image becomes a visual token."""
    weights = np.random.default_rng(3).normal(0, 0.1, (WIDTH, 3, PATCH, PATCH))
    nodes = [
        helper.make_node('Conv', ['pixels', 'weights'], ['patches'], strides=[PATCH, PATCH]),
        helper.make_node('Reshape', ['patches', 'shape'], ['flat']),
        helper.make_node('Transpose', ['flat'], ['visual_tokens'], perm=[0, 2, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('pixels', TensorProto.FLOAT, ['n', 3, SIZE, SIZE])],
        [helper.make_tensor_value_info('visual_tokens', TensorProto.FLOAT, ['n', TOKENS, WIDTH])],
        [
            numpy_helper.from_array(weights.astype(np.float32), 'weights'),
            numpy_helper.from_array(np.array([0, WIDTH, TOKENS]), 'shape'),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    onnx.save(model, path)


def manifest(folder: Path) -> dict[str, Any]:
    files = {
        path.name: {
            'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
            'bytes': path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
    }
    return {
        'schema': 1,
        'name': 'tiny',
        'architecture': 'mobilevlm',
        'vision': {
            'image_size': SIZE,
            'mean': MEAN,
            'std': STD,
            'resize': 'pad',
            'visual_tokens': TOKENS,
            'width': WIDTH,
            'projector': 'ldp',
        },
        'language': {'context_length': CONTEXT, 'max_tokens': 64},
        'prompt': {'head': HEAD, 'question': QUESTION, 'stop': ['</s>']},
        'files': files,
        'backends': {
            'onnxruntime': {'int8': 'vision.onnx', 'fp32': 'vision.onnx'},
            'llama_cpp': 'llm.gguf',
        },
        'caption': {'question': 'Describe the scene.'},
        'license': 'Apache-2.0',
        'provenance': {},
    }


@pytest.fixture(scope='session')
def vocabulary() -> sentencepiece.SentencePieceProcessor:
    return train_vocabulary()


@pytest.fixture(scope='session')
def tiny_bundle(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: sentencepiece.SentencePieceProcessor
) -> Path:
    """A bundle to read from; copy it before changing anything."""
    folder = tmp_path_factory.mktemp('tiny')
    write_gguf(folder / 'llm.gguf', vocabulary)
    write_onnx(folder / 'vision.onnx')
    (folder / 'bundle.json').write_text(json.dumps(manifest(folder)))
    return folder


@pytest.fixture
def own_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / 'bundle'))


@pytest.fixture
def fp16_bundle(own_bundle: Path) -> Path:
    """A copy that also claims a fp16 file: the same file, which is none, under another name."""
    shutil.copy(own_bundle / 'vision.onnx', own_bundle / 'vision-fp16.onnx')
    content = json.loads((own_bundle / 'bundle.json').read_text())
    content['files']['vision-fp16.onnx'] = content['files']['vision.onnx']
    content['backends']['onnxruntime']['fp16'] = 'vision-fp16.onnx'
    (own_bundle / 'bundle.json').write_text(json.dumps(content))
    return own_bundle


@pytest.fixture
def engine(tiny_bundle: Path) -> Iterator[Engine]:
    with open_engine(tiny_bundle, EngineConfig(llm_threads=1, encoder_threads=1)) as engine:
        yield engine


@pytest.fixture
def make_frame() -> Callable[..., Frame]:
    """Frames of noise, told apart by their seed."""

    def make(seed: int = 0, **fields: Any) -> Frame:
        pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        return Frame(pixels, **fields)

    return make


@pytest.fixture
def fake() -> Iterator[Engine]:
    with create_fake_engine() as engine:
        yield engine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(time.perf_counter)
    monkeypatch.setattr(time, 'perf_counter', clock)
    return clock


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def start() -> Iterator[Callable[..., EngineWorker]]:
    """Starts workers, on fakes unless told otherwise, and closes them after the test."""
    workers: list[EngineWorker] = []

    def start(
        engine: Engine | None = None,
        on_caption: Callable[[Caption], None] | None = None,
        gate: Gate | None = None,
        **settings: Any,
    ) -> EngineWorker:
        engine = engine or create_fake_engine(EngineConfig(**{'look_rate_hz': 0.0, **settings}))
        workers.append(EngineWorker(engine, on_caption, gate))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def load(tiny_bundle: Path) -> Iterator[Callable[..., LlamaCppLanguageModel]]:
    loaded = []

    def load(**options: Any) -> LlamaCppLanguageModel:
        sizes = {'context_length': 96, 'cells': 256, 'sequences': 4, 'batch_tokens': 32}
        options = {**sizes, 'threads': 1, **options}
        loaded.append(LlamaCppLanguageModel(tiny_bundle / 'llm.gguf', **options))
        return loaded[-1]

    yield load
    for llm in loaded:
        llm.close()
