"""A trained model on disk, in the format of the official checkpoints.

config.json has besides one section of our own, with what a model is asked with.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mobilevlm_ros.model.config import write_config
from mobilevlm_ros.model.mobilevlm import MobileVlm
from mobilevlm_ros.model.names import CONFIG, OURS, VOCABULARY, WEIGHTS


@dataclass(frozen=True)
class Usage:
    """The words and numbers that surround a model in use."""

    name: str
    prompt: dict[str, Any]  # head, question, stop: as in bundle.json
    preprocessing: dict[str, list[float]]  # mean and std of RGB in [0, 1]
    caption: str  # the question that a caption answers
    license: str
    provenance: dict[str, Any]
    max_tokens: int = 64  # of an answer, if nobody says otherwise


def save_checkpoint(model: MobileVlm, usage: Usage, vocabulary: Path, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(vocabulary, folder / VOCABULARY)
    weights = {k: v.detach().contiguous() for k, v in model.named_weights().items()}
    save_file(weights, folder / WEIGHTS)
    config = {**write_config(model.geometry), OURS: asdict(usage)}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + '\n', encoding='utf-8')
