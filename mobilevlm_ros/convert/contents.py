"""What a folder or a repository holds, by the names of its files: weights, or something else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.engine.paths import user_path
from mobilevlm_ros.model.names import HUB_NAME

STEMS = ('model.safetensors', 'pytorch_model.bin')
INDEX = '.index.json'
DOWNLOADS = ('.cache/huggingface/download', '../../blobs')  # where the hub's client begins files
UNFINISHED = ('*.incomplete', '*.tmp', '*.part', '*.partial', '*.crdownload', '*.aria2')


@dataclass(frozen=True)
class Other:
    """What is taken for a checkpoint, and what to do."""

    marks: tuple[str, ...]  # patterns of file names, any of which tells it
    what: str


BUNDLE = Other(
    ('bundle.json',),
    'is a bundle already: give it to `mobilevlm ask` or vlm_node as it is, and the checkpoint '
    'that it was made from to `mobilevlm convert`',
)
OTHERS = (  # without whole weights beside it
    Other(
        ('adapter_config.json', 'adapter_model.*', 'non_lora_trainables.bin'),
        'is a LoRA, the changes to a base model and not a model: merge it first (MobileVLM: '
        '`python scripts/mergelora.py BASE LORA MERGED`), and give the merged folder',
    ),
    Other(
        ('mm_projector.bin', 'mm_projector.safetensors', 'checkpoint-*.bin'),
        'is a projector alone, as the first stage of training leaves it: give the checkpoint that '
        'training went on to with `--pretrain_mm_mlp_adapter`, which holds the whole model',
    ),
    Other(
        ('*.gguf',),
        'holds GGUF files, which were made from a checkpoint for llama.cpp: give the checkpoint '
        'itself, with a config.json and model.safetensors or pytorch_model.bin',
    ),
    Other(
        ('zero_to_fp32.py', 'global_step*'),
        'is a checkpoint of DeepSpeed, whose weights lie in pieces: run `python zero_to_fp32.py . '
        'pytorch_model.bin` in it first',
    ),
    Other(
        ('model.*.safetensors', 'pytorch_model.*.bin'),
        'has a variant of the weights alone, which transformers takes only when it is asked for: '
        'rename the file to model.safetensors or pytorch_model.bin',
    ),
    Other(
        ('model-*-of-*.safetensors', 'pytorch_model-*-of-*.bin'),
        'has shards of weights without the index that names them: download '
        'model.safetensors.index.json or pytorch_model.bin.index.json too',
    ),
    Other(
        ('tf_model.h5', 'flax_model.msgpack', 'consolidated.*.pth'),
        'has weights for another library: save it with transformers, as safetensors',
    ),
    Other(UNFINISHED, 'has a download that was not finished: download it again'),
    Other(
        ('optimizer.pt', 'trainer_state.json', 'training_args.bin'),
        'holds the state of a training and no weights: give the folder that the end of the '
        'training wrote',
    ),
)


def find_folder(where: str | Path) -> Path | None:
    """The folder of a checkpoint; None if this is a name on the hub.

    Raises:
        CheckpointError: if it is neither, or holds something else than a checkpoint.
        ConfigError: if it cannot be a path.
    """
    folder = user_path(where)
    if folder.is_dir():
        check_contents(folder, list_names(folder))
        return folder
    if folder.is_file():
        check_contents(folder, [folder.name])
        raise CheckpointError(
            f'{where} is a file; give the folder of the checkpoint, with its config.json (unpack '
            'it first if it is an archive)'
        )
    if isinstance(where, str) and HUB_NAME.fullmatch(where):
        return None
    raise CheckpointError(
        f'{where} is not a folder; expected a checkpoint with a config.json, or its name on the '
        'hub such as mtgv/MobileVLM_V2-1.7B'
    )


def list_names(folder: Path) -> set[str]:
    """The files and folders in a folder, links to nothing left out, and downloads of it."""
    there = {path.name for path in folder.iterdir() if path.exists()}
    begun = (path.name for at in DOWNLOADS for path in (folder / at).glob('*.incomplete'))
    return there.union(begun)


def choose_weights(names: Collection[str]) -> str:
    """The file that transformers loads first of these: weights or an index; empty if none."""
    order = (name for stem in STEMS for name in (stem, stem + INDEX))
    return next((name for name in order if name in names), '')


def check_contents(where: object, names: Collection[str]) -> None:
    """Raise CheckpointError if these are the files of something else than a checkpoint.

    Args:
        where: the folder or repository, for the message.
        names: of its files and folders.
    """
    others: Sequence[Other] = [BUNDLE] if choose_weights(names) else [BUNDLE, *OTHERS]
    for other in others:
        found = [name for name in sorted(names) if any(fnmatch(name, m) for m in other.marks)]
        if found:
            raise CheckpointError(f'{where} {other.what} (it has {found[0]})')


def has_adapter(names: Collection[str]) -> bool:
    """Whether a LoRA lies beside whole weights, which do not contain it then."""
    return 'adapter_config.json' in names and bool(choose_weights(names))
