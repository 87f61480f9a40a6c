import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mobilevlm_ros.convert.weights import Weights, open_weights, weight_files
from mobilevlm_ros.engine.errors import CheckpointError
from tests.convert.support import write_shards, write_weights

WEIGHTS = {f'layer.{i}': torch.full((i + 1, 3), float(i)).half() for i in range(5)}
STEMS = ('model.safetensors', 'pytorch_model.bin')


def open_folder(folder: Path) -> Weights:
    return open_weights(weight_files(folder))


@pytest.mark.parametrize('stem', STEMS)
@pytest.mark.parametrize('sharded', [False, True])
def test_every_tensor_is_read_as_it_was_stored(tmp_path: Path, stem: str, sharded: bool) -> None:
    if sharded:
        write_shards(tmp_path, stem, WEIGHTS)
    else:
        write_weights(tmp_path / stem, WEIGHTS)
    weights = open_folder(tmp_path)
    assert weights.shapes() == {name: tuple(t.shape) for name, t in WEIGHTS.items()}
    for name, tensor in WEIGHTS.items():
        assert weights.read(name).dtype == torch.float16
        assert torch.equal(weights.read(name), tensor)


@pytest.mark.parametrize('stem', STEMS)
@pytest.mark.parametrize('left', [0, 7, 300])
def test_a_truncated_shard_is_named(tmp_path: Path, stem: str, left: int) -> None:
    shard = write_shards(tmp_path, stem, WEIGHTS)[1]
    shard.write_bytes(shard.read_bytes()[:left])
    with pytest.raises(CheckpointError, match=f'{shard.name} is truncated or damaged'):
        open_folder(tmp_path)


@pytest.mark.parametrize('stem', STEMS)
def test_a_shard_cut_by_one_byte_is_noticed_before_it_is_read(tmp_path: Path, stem: str) -> None:
    shard = write_shards(tmp_path, stem, WEIGHTS)[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f'{shard.name} is truncated or damaged'):
        open_folder(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    shard = write_shards(tmp_path, STEMS[0], WEIGHTS)[1]
    shard.unlink()
    with pytest.raises(CheckpointError, match=f'lacks {shard.name} of the 2 shards'):
        open_folder(tmp_path)


def test_files_are_chosen_as_transformers_chooses_them(tmp_path: Path) -> None:
    """modeling_utils.py: safetensors first, a whole file before an index."""
    order = [name for stem in STEMS for name in (stem, f'{stem}.index.json')]
    for first in reversed(order):
        if first in STEMS:
            write_weights(tmp_path / first, {'chosen': torch.ones(1)})
            chosen = [tmp_path / first]
        else:
            chosen = write_shards(tmp_path, first.removesuffix('.index.json'), WEIGHTS)
        assert weight_files(tmp_path) == chosen


@pytest.mark.parametrize('stem', STEMS)
def test_a_stale_index_beside_a_whole_file_is_not_read(tmp_path: Path, stem: str) -> None:
    for shard in write_shards(tmp_path, stem, WEIGHTS):
        shard.unlink()
    write_weights(tmp_path / stem, WEIGHTS)
    assert open_folder(tmp_path).shapes().keys() == WEIGHTS.keys()
    (tmp_path / f'{stem}.index.json').write_text('not JSON')
    assert open_folder(tmp_path).shapes().keys() == WEIGHTS.keys()


def test_left_over_shards_are_not_read(tmp_path: Path) -> None:
    write_weights(tmp_path / 'model-00001-of-00003.safetensors', {'old': torch.ones(1)})
    write_shards(tmp_path, STEMS[0], WEIGHTS)
    assert open_folder(tmp_path).shapes().keys() == WEIGHTS.keys()


def test_an_index_without_its_shards_says_what_else_could_be_taken(tmp_path: Path) -> None:
    for shard in write_shards(tmp_path, STEMS[0], WEIGHTS):
        shard.unlink()
    write_weights(tmp_path / STEMS[1], WEIGHTS)
    with pytest.raises(CheckpointError, match=r'or remove model\.safetensors\.index\.json if pyt'):
        weight_files(tmp_path)


def test_shards_may_lie_in_a_folder_below_their_index(tmp_path: Path) -> None:
    (tmp_path / 'shards').mkdir()
    index = tmp_path / 'model.safetensors.index.json'
    files = write_shards(tmp_path / 'shards', STEMS[0], WEIGHTS)
    content = json.loads((tmp_path / 'shards' / index.name).read_text())['weight_map']
    index.write_text(json.dumps({'weight_map': {k: f'shards/{v}' for k, v in content.items()}}))
    assert weight_files(tmp_path) == files
    assert open_folder(tmp_path).shapes().keys() == WEIGHTS.keys()


@pytest.mark.parametrize('stem', STEMS)
def test_links_into_the_hub_s_cache_are_followed(tmp_path: Path, stem: str) -> None:
    blobs, snapshot = tmp_path / 'blobs', tmp_path / 'snapshots' / '0123abcd'
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for path in [*write_shards(tmp_path, stem, WEIGHTS), tmp_path / f'{stem}.index.json']:
        blob = blobs / f'hash-of-{path.name}'.replace('.', '-')
        path.rename(blob)
        (snapshot / path.name).symlink_to(f'../../blobs/{blob.name}')
    weights = open_folder(snapshot)
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in WEIGHTS.items())
    (blobs / blob.name).unlink()
    with pytest.raises(CheckpointError, match=r'is a link to a file that is not there|shards'):
        open_folder(snapshot)


@pytest.mark.parametrize(
    ('file', 'complaint'),
    [
        ('model.fp16.safetensors', 'a variant of the weights alone'),
        ('pytorch_model.bf16.bin', 'a variant of the weights alone'),
        ('model-00001-of-00002.safetensors', 'shards of weights without the index'),
        ('model.safetensors.tmp', 'a download that was not finished'),
        ('pytorch_model.bin.part', 'a download that was not finished'),
        ('.cache/huggingface/download/x.incomplete', 'a download that was not finished'),
        ('tf_model.h5', 'weights for another library'),
    ],
)
def test_what_is_no_weights_is_called_what_it_is(
    tmp_path: Path, file: str, complaint: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(CheckpointError, match=complaint):
        weight_files(tmp_path)


def test_a_variant_beside_the_weights_is_not_read(tmp_path: Path) -> None:
    write_weights(tmp_path / STEMS[1], WEIGHTS)
    write_weights(tmp_path / 'model.fp16.safetensors', {'other': torch.ones(1)})
    assert open_folder(tmp_path).shapes().keys() == WEIGHTS.keys()


def test_a_folder_without_weights_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r'model\.safetensors or pytorch_model\.bin'):
        weight_files(tmp_path)


@pytest.mark.parametrize(
    'index',
    [
        'not JSON',
        '[]',
        '{}',
        '{"weight_map": {"a": "../other.safetensors"}}',
        '{"weight_map": {"a": "shards/../../other.safetensors"}}',
        '{"weight_map": {"a": "/other.safetensors"}}',
        '{"weight_map": {"a": ""}}',
        '{"weight_map": {"a": 5}}',
    ],
)
def test_a_strange_index_is_refused(tmp_path: Path, index: str) -> None:
    (tmp_path / 'model.safetensors.index.json').write_text(index)
    with pytest.raises(CheckpointError, match='index'):
        weight_files(tmp_path)


def test_files_of_old_releases_of_pytorch_are_read(tmp_path: Path) -> None:
    path = tmp_path / STEMS[1]
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=False)
    weights = open_folder(tmp_path)
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in WEIGHTS.items())


@pytest.mark.parametrize('content', [torch.ones(2), {'step': 3}])
def test_a_file_that_holds_no_named_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / STEMS[1])
    with pytest.raises(CheckpointError, match=r'named tensors|tensors by their names'):
        open_folder(tmp_path)


@pytest.mark.parametrize('stem', STEMS)
def test_a_pointer_of_git_lfs_is_named_as_such(tmp_path: Path, stem: str) -> None:
    (tmp_path / stem).write_text('version https://git-lfs.github.com/spec/v1\nsize 3\n')
    with pytest.raises(CheckpointError, match='git lfs pull'):
        open_folder(tmp_path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickled_code_is_never_run(tmp_path: Path) -> None:
    sprung = tmp_path / 'sprung'
    torch.save({**WEIGHTS, 'trap': Trap(sprung)}, tmp_path / STEMS[1])
    with pytest.raises(CheckpointError, match='would run code'):
        open_folder(tmp_path)
    assert not sprung.exists()


def test_an_index_that_promises_too_much_is_found_by_the_names(tmp_path: Path) -> None:
    write_shards(tmp_path, STEMS[0], WEIGHTS)
    index = tmp_path / 'model.safetensors.index.json'
    content = json.loads(index.read_text())
    content['weight_map']['extra'] = next(iter(content['weight_map'].values()))
    index.write_text(json.dumps(content))
    assert 'extra' not in open_folder(tmp_path).shapes()
