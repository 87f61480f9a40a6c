"""A small seeded model with a vocabulary, as training would leave it."""

from pathlib import Path

import pytest
import sentencepiece
import torch

from mobilevlm_ros.convert.source import Source, open_source
from mobilevlm_ros.model.checkpoint import Usage, save_checkpoint
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.training.tokenizer import load_tokenizer, train_tokenizer

TEXTS = [
    'What is ahead of the robot? A red box, a blue cone and an orange ball.',
    'Is the path ahead clear? yes no, near on the left, far on the right',
    'How many barrels are there? 0 1 2 3 4 5 6 7 8 9 Describe the scene.',
]
USAGE = Usage(
    name='small',
    prompt={'head': 'Look: ', 'question': '\n{question} ASSISTANT:', 'stop': ['</s>']},
    preprocessing={'mean': [0.48, 0.46, 0.41], 'std': [0.27, 0.26, 0.28]},
    caption='Describe the scene.',
    license='Apache-2.0',
    provenance={'trained_by': 'nobody'},
)


@pytest.fixture(scope='session')
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentencePiece model of 360 pieces."""
    path: Path = tmp_path_factory.mktemp('vocabulary') / 'tokenizer.model'
    train_tokenizer(TEXTS * 5, 360, path)
    return path


@pytest.fixture(scope='session')
def tokenizer(vocabulary: Path) -> sentencepiece.SentencePieceProcessor:
    return load_tokenizer(vocabulary)


@pytest.fixture(scope='session')
def model() -> MobileVlm:
    """Two blocks a part, width 64, weights large enough that logits are far apart."""
    torch.manual_seed(3)
    geometry = Geometry(
        image_size=40, vision_width=64, vision_layers=2, vision_heads=2, width=64, layers=2,
        heads=2, feed_forward=256, vocabulary=360, context=128,
    )  # fmt: skip
    model = MobileVlm(geometry).eval()
    for parameter in model.llama.parameters():
        if parameter.ndim > 1:
            parameter.data *= 6
    return model


@pytest.fixture(scope='session')
def checkpoint(
    model: MobileVlm, vocabulary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of that model's checkpoint."""
    folder: Path = tmp_path_factory.mktemp('checkpoint') / 'small'
    save_checkpoint(model, USAGE, vocabulary, folder)
    return folder


@pytest.fixture(scope='session')
def source(checkpoint: Path) -> Source:
    return open_source(checkpoint)
