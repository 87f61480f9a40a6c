"""Checkpoints by their names on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import huggingface_hub

from mobilevlm_ros.convert.contents import INDEX, check_contents, choose_weights
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.names import CONFIG

PATTERNS = ['*.json', 'tokenizer.model', 'README.md']


def download(name: str) -> Path:
    """The folder of `owner/name` in the hub's cache, downloaded if it is not there.

    Of weights in several formats the one is downloaded that would be read.

    Raises:
        CheckpointError: if it cannot be had, or is something else than a checkpoint.
    """
    names = _names(name)
    cached = huggingface_hub.try_to_load_from_cache(name, CONFIG)
    if not names and isinstance(cached, str):
        return Path(cached).parent
    check_contents(name, names)
    patterns = [*PATTERNS, *weight_patterns(names)]
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # of several libraries, by the kind of failure
        reason = (str(error) or repr(error)).splitlines()[0]
        raise CheckpointError(
            f'{name} is no folder here, and cannot be downloaded from the Hugging Face hub: '
            f'{reason}. Where there is internet, run `hf download {name} --local-dir FOLDER`, '
            'and give that folder'
        ) from error


def weight_patterns(names: Collection[str]) -> list[str]:
    """What to download of a repository's weights."""
    chosen = choose_weights(names)
    if not chosen.endswith(INDEX):
        return [chosen] if chosen else []
    stem, _, suffix = chosen.removesuffix(INDEX).rpartition('.')
    return [f'{stem}-*-of-*.{suffix}']


def _names(name: str) -> list[str]:
    """The files of a repository; none where the hub does not answer."""
    try:
        return huggingface_hub.HfApi().list_repo_files(name)
    except Exception:  # all may be in the cache; if not, the download says what is wrong
        return []
