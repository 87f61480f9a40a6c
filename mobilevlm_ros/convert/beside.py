"""What lies beside a checkpoint's weights: prompt, pixels, vocabulary, licence."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mobilevlm_ros.convert.weights import check_content
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.config import given
from mobilevlm_ros.model.names import VOCABULARY

# Meituan-AutoML/MobileVLM, mobilevlm/conversation.py: conv_vicuna_v1, around `<image>`.
PROMPT = {
    'head': 'A chat between a curious user and an artificial intelligence assistant. '
    "The assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
    'question': '\n{question} ASSISTANT:',
    'turn': 'USER: {question} ASSISTANT:',  # behind an answer and its end token
    'stop': ['</s>'],
}
CAPTION = 'Describe the image briefly.'
BICUBIC = 3  # Pillow's number for it
CLIP_PIXELS = {
    'mean': [0.48145466, 0.4578275, 0.40821073],
    'std': [0.26862954, 0.26130258, 0.27577711],
}
PREPROCESSOR = 'preprocessor_config.json'
TOKENIZER = 'tokenizer_config.json'


def read_prompt(folder: Path) -> dict[str, Any]:
    """The official one. Vocabularies that are not `legacy` put no space before a turn."""
    path = folder / TOKENIZER
    legacy = read_json(path).get('legacy', True) if path.is_file() else True
    return PROMPT if legacy else {**PROMPT, 'turn_space': False}


def read_preprocessing(image_size: int, *folders: Path | None) -> dict[str, list[float]]:
    """Mean and std of the first preprocessor_config.json, else CLIP's."""
    for folder in folders:
        if folder is not None and (folder / PREPROCESSOR).is_file():
            content = read_json(folder / PREPROCESSOR)
            _check_processor(folder / PREPROCESSOR, content, image_size)
            names = {'mean': 'image_mean', 'std': 'image_std'}
            given = {our: content.get(key, CLIP_PIXELS[our]) for our, key in names.items()}
            return {key: _colour(folder / PREPROCESSOR, key, v) for key, v in given.items()}
    return CLIP_PIXELS


def _check_processor(path: Path, content: dict[str, Any], image_size: int) -> None:
    """Refuse what CLIP's image processor would do otherwise than the engine."""
    steps = dict.fromkeys(('do_resize', 'do_center_crop', 'do_rescale', 'do_normalize'), True)
    size = {'size': image_size, 'crop_size': image_size}
    for key, served in {**steps, **size, 'resample': BICUBIC}.items():
        found = content.get(key, served)
        sides = found.values() if isinstance(found, dict) else [found]
        if any(side != served for side in sides):
            raise CheckpointError(f'{path}: {key} is {found!r}; served is {served!r}')


def _colour(path: Path, key: str, value: Any) -> list[float]:
    numbers = value if isinstance(value, list) else []
    if len(numbers) != 3 or not all(type(v) in (int, float) and 0 <= v <= 1 for v in numbers):
        raise CheckpointError(f'{path}: image_{key} is {value!r}, not three numbers up to 1')
    return numbers


def read_license(folder: Path) -> str:
    """What the model card's first lines say, else nothing."""
    card = folder / 'README.md'
    text = card.read_text(encoding='utf-8', errors='replace') if card.is_file() else ''
    found = re.match(r'---\n(?:.*\n)*?license: *(\S+)', text)
    return found[1] if found else ''


def find_vocabulary(folder: Path) -> Path:
    """The SentencePiece model.

    Raises:
        CheckpointError: if it is not there.
    """
    path = folder / VOCABULARY
    if not path.is_file():
        raise CheckpointError(
            f'{path} is not there; expected the SentencePiece vocabulary, for which a '
            'tokenizer.json does not serve: copy it from the model that the training began with'
        )
    check_content(path)
    return path


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file, without what is null.

    Raises:
        CheckpointError: if there is none.
    """
    if not path.is_file():
        raise CheckpointError(f'{path} is not there; expected the folder of a checkpoint')
    try:
        content = json.loads(path.read_text(encoding='utf-8'), object_pairs_hook=given)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path} must hold a JSON object, not {type(content).__name__}')
    return content
