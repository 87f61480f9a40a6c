"""What models call themselves, whichever folder they lie in, and their files there."""

from __future__ import annotations

import re
from pathlib import Path

CONFIG, WEIGHTS, VOCABULARY = 'config.json', 'model.safetensors', 'tokenizer.model'
OURS = 'mobilevlm_ros'  # section of config.json
HUB_NAME = re.compile(r'[\w-][\w.-]*/[\w.-]+')  # owner/name
CACHED = re.compile(r'(?:^|/)models--([^/]+)/snapshots/[^/]+/?$')
TRAINED = re.compile(r'checkpoint-\d+')  # how transformers' trainer calls what it saves on its way


def cached_name(path: str) -> str:
    """The `owner/name` of a snapshot in a cache of the Hugging Face hub; empty for other paths.

    The path may be one of another machine: `/home/ann/.cache/huggingface/hub/models--owner--name/
    snapshots/<commit>`.
    """
    found = CACHED.search(path)
    return found[1].replace('--', '/', 1) if found else ''


def model_name(where: str | Path) -> str:
    """`owner/name` of what comes from the hub, else the folder's name.

    What a training saved on its way is called by its parent's name too, as the official code does.
    """
    path = Path(where)
    if HUB_NAME.fullmatch(str(where)) and not path.is_dir():
        return str(where)
    whole = path.resolve()
    if name := cached_name(str(path.absolute())) or cached_name(str(whole)):
        return name
    return f'{whole.parent.name}_{whole.name}' if TRAINED.fullmatch(whole.name) else whole.name
