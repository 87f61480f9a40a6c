"""Checkpoints by their names on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub

from mobilevlm_ros.engine.errors import CheckpointError

PATTERNS = ['*.json', '*.safetensors', '*.bin', 'tokenizer.model', 'README.md']


def download(name: str) -> Path:
    """The folder of `owner/name` in the hub's cache, downloaded if it is not there.

    Raises:
        CheckpointError: if it cannot be had.
    """
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=PATTERNS))
    except Exception as error:  # of several libraries, by the kind of failure
        reason = (str(error) or repr(error)).splitlines()[0]
        raise CheckpointError(
            f'{name} is no folder here, and cannot be downloaded from the Hugging Face hub: '
            f'{reason}. Where there is internet, run `hf download {name} --local-dir FOLDER`, '
            'and give that folder'
        ) from error
