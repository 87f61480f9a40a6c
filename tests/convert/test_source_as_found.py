"""Checkpoints as people have them: what is null, missing, renamed or of another release."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mobilevlm_ros.convert.beside import CLIP_PIXELS, PROMPT
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import TOWER
from tests.convert.support import (
    TINY,
    change_config,
    half_weights,
    make_model,
    official_config,
    write_clip,
    write_official,
    write_weights,
)


@pytest.fixture(scope='module')
def weights() -> dict[str, Tensor]:
    return half_weights(make_model(TINY))


def outcome(folder: Path) -> object:
    """All that config.json decides, or the complaint."""
    try:
        source = open_source(folder)
    except CheckpointError as error:
        return str(error)
    return source.geometry, source.resize, source.name, source.provenance, source.prompt


@pytest.mark.parametrize('key', official_config(TINY))
def test_null_in_config_is_the_same_as_nothing(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor], key: str
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    path = folder / 'config.json'
    rest = {k: v for k, v in json.loads(path.read_text()).items() if k != key}
    path.write_text(json.dumps({**rest, key: None}))
    with_null = outcome(folder)
    path.write_text(json.dumps(rest))
    assert with_null == outcome(folder)
    if key.startswith('mm_vision_select') or key in ('hidden_act', 'rope_theta', 'tie_word_emb'):
        assert not isinstance(with_null, str)


@pytest.mark.parametrize('value', [[], 'x', 3])
def test_a_section_that_is_no_object_is_named(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor], value: object
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    tower = write_clip(tmp_path / 'clip', TINY, weights)
    (tower / 'config.json').write_text(json.dumps({'vision_config': value}))
    with pytest.raises(CheckpointError, match='vision_config must be an object'):
        open_source(folder, tower)
    change_config(folder, mobilevlm_ros=value)
    assert 'mobilevlm_ros must be an object' in str(outcome(folder))


def test_a_base_model_may_be_named_in_any_way(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    change_config(folder, _name_or_path=5)
    assert open_source(folder).provenance['trained_from'] == '5'


def test_null_in_other_files_means_the_default_too(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    pixels = {'image_mean': None, 'image_std': None, 'size': None, 'resample': None}
    (folder / 'preprocessor_config.json').write_text(json.dumps(pixels))
    (folder / 'tokenizer_config.json').write_text('{"legacy": null}')
    source = open_source(folder)
    assert source.preprocessing == CLIP_PIXELS and source.prompt == PROMPT


@pytest.mark.parametrize(
    ('place', 'name', 'checkpoint'),
    [
        ('hub/models--mtgv--MobileVLM_V2-1.7B/snapshots/0123abcd', 'MobileVLM_V2-1.7B',
         'mtgv/MobileVLM_V2-1.7B'),
        ('outputs/my-vlm/checkpoint-500', 'my-vlm_checkpoint-500', 'my-vlm_checkpoint-500'),
        ('plain', 'plain', 'plain'),
    ],
)  # fmt: skip
def test_a_model_is_called_as_it_is_and_not_as_a_commit(
    tmp_path: Path, vocabulary: Path, place: str, name: str, checkpoint: str
) -> None:
    folder = write_official(tmp_path / place, vocabulary)
    base = '/home/ann/.cache/huggingface/hub/models--mtgv--MobileLLaMA-1.4B-Chat/snapshots/beef'
    change_config(folder, _name_or_path=base)
    source = open_source(folder)
    assert source.name == name
    assert source.provenance['checkpoint'] == checkpoint
    assert source.provenance['trained_from'] == 'mtgv/MobileLLaMA-1.4B-Chat'


def test_a_fetched_model_has_the_name_that_was_given(tmp_path: Path, vocabulary: Path) -> None:
    snapshot = tmp_path / 'models--mtgv--MobileVLM-1.7B' / 'snapshots' / '0123abcd'
    folder = write_official(snapshot, vocabulary)
    assert open_source('mtgv/MobileVLM-1.7B', fetch=lambda _: folder).name == 'MobileVLM-1.7B'


@pytest.mark.parametrize(
    ('ratio', 'resize'), [('pad', 'pad'), ('square', 'crop'), (None, 'crop')]
)
def test_images_are_padded_only_where_the_checkpoint_says_so(
    tmp_path: Path, vocabulary: Path, ratio: str | None, resize: str
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    change_config(folder, image_aspect_ratio=ratio)
    assert open_source(folder).resize == resize


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('size', 224), ('size', {'shortest_edge': 9}), ('crop_size', {'height': 56, 'width': 40}),
        ('do_center_crop', False), ('do_normalize', False), ('resample', 2), ('size', [56]),
    ],
)  # fmt: skip
def test_an_image_processor_that_does_otherwise_is_refused(
    tmp_path: Path, vocabulary: Path, key: str, value: Any
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'preprocessor_config.json').write_text(json.dumps({key: value}))
    with pytest.raises(CheckpointError, match=rf'preprocessor_config\.json: {key} is '):
        open_source(folder)


def test_the_tower_s_image_processor_goes_before_the_checkpoint_s(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    (folder / 'preprocessor_config.json').write_text('{"image_mean": [0.1, 0.1, 0.1]}')
    clip = write_clip(tmp_path / 'clip', TINY, weights)
    (clip / 'preprocessor_config.json').write_text('{"image_mean": [0.2, 0.2, 0.2], "size": 56}')
    assert open_source(folder, vision_tower=clip).preprocessing['mean'] == [0.2] * 3
    assert open_source(folder).preprocessing['mean'] == [0.1] * 3


def test_a_tower_that_is_no_clip_is_refused(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    other = write_clip(tmp_path / 'siglip', TINY, weights)
    change_config(other, model_type='siglip')
    with pytest.raises(CheckpointError, match="is no vision tower: its model_type is 'siglip'"):
        open_source(folder, vision_tower=other)


def test_towers_are_read_whichever_release_of_transformers_wrote_them(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    flat = {name.replace('vision_model.', ''): tensor for name, tensor in weights.items()}
    source = open_source(write_official(tmp_path / 'model', vocabulary, weights=flat))
    assert all(torch.equal(source.read(name), weights[name]) for name in source.names())
    clip = write_clip(tmp_path / 'clip', TINY, weights)
    own = {k.removeprefix(TOWER): v for k, v in weights.items() if k.startswith(TOWER)}
    write_weights(clip / 'model.safetensors', own)
    source = open_source(tmp_path / 'model', vision_tower=clip)
    assert all(torch.equal(source.read(name), weights[name]) for name in source.names())


@pytest.mark.parametrize(('legacy', 'space'), [(True, True), (False, False)])
def test_a_vocabulary_that_is_not_legacy_puts_no_space_before_a_turn(
    tmp_path: Path, vocabulary: Path, legacy: bool, space: bool
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'tokenizer_config.json').write_text(json.dumps({'legacy': legacy}))
    assert open_source(folder).prompt.get('turn_space', True) == space


def test_a_tokenizer_json_alone_is_not_enough(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'tokenizer.model').rename(folder / 'tokenizer.json')
    with pytest.raises(CheckpointError, match=r'tokenizer\.model is not there.*copy it from'):
        open_source(folder)


def test_a_lora_beside_whole_weights_is_warned_of(
    tmp_path: Path, vocabulary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'adapter_config.json').write_text('{}')
    open_source(folder)
    assert 'merge it first' in caplog.text


def test_official_answers_may_be_512_tokens_long(tmp_path: Path, vocabulary: Path) -> None:
    assert open_source(write_official(tmp_path / 'model', vocabulary)).max_tokens == 512


def test_a_changed_list_of_added_tokens_is_another_source(
    tmp_path: Path, vocabulary: Path
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'added_tokens.json').write_text('{}')
    assert folder / 'added_tokens.json' in open_source(folder).files
