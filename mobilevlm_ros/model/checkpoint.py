"""A trained model on disk: weights, vocabulary, and what it was trained to be asked with."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sentencepiece
from safetensors.torch import load_file, save_file

from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm

CONFIG, WEIGHTS, VOCABULARY = 'config.json', 'model.safetensors', 'tokenizer.model'


@dataclass(frozen=True)
class Checkpoint:
    """A model, its vocabulary, and the words and numbers that surround it in use."""

    model: MobileVlm
    tokenizer: sentencepiece.SentencePieceProcessor
    prompt: dict[str, Any]  # head, question, stop: as in bundle.json
    preprocessing: dict[str, list[float]]  # mean and std of RGB in [0, 1]
    caption: str  # the question that a caption answers
    license: str
    provenance: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, vocabulary: Path, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        'geometry': asdict(checkpoint.model.geometry),
        'prompt': checkpoint.prompt,
        'preprocessing': checkpoint.preprocessing,
        'caption': checkpoint.caption,
        'license': checkpoint.license,
        'provenance': checkpoint.provenance,
    }
    shutil.copy(vocabulary, folder / VOCABULARY)
    weights = {k: v.detach().contiguous() for k, v in checkpoint.model.named_weights().items()}
    save_file(weights, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=1))


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote."""
    config = json.loads((folder / CONFIG).read_text())
    model = MobileVlm(Geometry(**config.pop('geometry')))
    model.load_weights(load_file(folder / WEIGHTS))
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / VOCABULARY))
    return Checkpoint(model.eval(), tokenizer, **config)
