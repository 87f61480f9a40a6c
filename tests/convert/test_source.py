import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mobilevlm_ros.convert.beside import CLIP_PIXELS, PROMPT
from mobilevlm_ros.convert.source import Source, load_reference, load_vision, open_source
from mobilevlm_ros.engine.bundle import PromptSpec
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.engine.prompt import turn_tokens
from mobilevlm_ros.model.mobilevlm import TOWER, MobileVlm
from tests.convert.support import (
    TINY,
    half_weights,
    make_model,
    official_config,
    write_clip,
    write_official,
    write_weights,
)

FILE = 'pytorch_model.bin'
# What conv_vicuna_v1's get_prompt makes of two questions and answers (SeparatorStyle.TWO).
OFFICIAL_CONVERSATION = (
    'A chat between a curious user and an artificial intelligence assistant. The assistant gives '
    "helpful, detailed, and polite answers to the user's questions. USER: <image>\nWhat is ahead? "
    'ASSISTANT: a box</s>USER: Is it red? ASSISTANT: yes</s>'
)


@pytest.fixture(scope='module')
def weights() -> dict[str, Tensor]:
    return half_weights(make_model(TINY))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_trained_checkpoint_is_read_back_whole(source: Source, model: MobileVlm) -> None:
    assert source.geometry == model.geometry
    assert (source.name, source.prompt['head']) == ('small', 'Look: ')
    assert (source.caption, source.license) == ('Describe the scene.', 'Apache-2.0')
    weights = model.named_weights()
    assert source.names() == list(weights)
    assert all(torch.equal(source.read(name), weights[name]) for name in weights)


@torch.no_grad()
def test_the_reference_computes_what_was_saved(source: Source, model: MobileVlm) -> None:
    pixels, tokens = torch.randn(1, 3, 40, 40), torch.tensor([[1, 7, 300]])
    reference = load_reference(source)
    assert torch.equal(reference.encode(pixels), model.encode(pixels))
    assert torch.equal(load_vision(source).encode(pixels), model.encode(pixels))
    assert torch.equal(reference.llama(tokens).logits, model.llama(tokens).logits)


def test_a_conversation_is_worded_as_the_official_one() -> None:
    prompt = PromptSpec(**PROMPT)
    turns = [('What is ahead?', ' a box'), ('Is it red?', ' yes')]
    text = prompt.head + '<image>'
    for number, (question, answer) in enumerate(turns):
        said = turn_tokens(prompt, question, number == 0, lambda text: list(text.encode()))
        text += bytes(said).decode() + answer + prompt.stop[0]
    assert text == OFFICIAL_CONVERSATION


@torch.no_grad()
@pytest.mark.parametrize('projector', ['ldp', 'ldpv2'])
def test_an_official_checkpoint_leaves_clip_s_last_block_out(
    tmp_path: Path, vocabulary: Path, projector: str
) -> None:
    geometry = replace(TINY, projector=projector)
    model = make_model(geometry)
    folder = write_official(tmp_path / 'v', vocabulary, geometry, half_weights(model))
    source = open_source(folder)
    assert source.geometry == geometry
    assert source.prompt == PROMPT and source.preprocessing == CLIP_PIXELS
    pixels = torch.randn(1, 3, 56, 56)
    reference = load_reference(source)
    for name, weight in reference.named_weights().items():
        model.named_weights()[name].copy_(weight)
    states = model.tower(pixels, output_hidden_states=True).hidden_states
    expected = model.projector(states[-2][:, 1:])
    assert torch.allclose(reference.encode(pixels), expected, atol=1e-6)


def test_the_tower_may_come_from_its_own_folder(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    rest = {name: tensor for name, tensor in weights.items() if not name.startswith(TOWER)}
    folder = write_official(tmp_path / 'model', vocabulary, weights=rest)
    change_config(folder, mm_vision_tower='somewhere/clip')
    clip = write_clip(tmp_path / 'clip', TINY, weights)
    asked: list[str] = []
    for source in (
        open_source(folder, vision_tower=clip),
        open_source(folder, fetch=lambda name: asked.append(name) or clip),
    ):
        assert source.geometry == TINY
        assert all(torch.equal(source.read(name), weights[name]) for name in source.names())
    assert asked == ['somewhere/clip']


def test_a_tower_that_is_given_goes_before_the_checkpoint_s_own(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary, weights=weights)
    other = half_weights(make_model(TINY, seed=5))
    source = open_source(folder, vision_tower=write_clip(tmp_path / 'clip', TINY, other))
    name = f'{TOWER}encoder.layers.0.mlp.fc1.weight'
    assert torch.equal(source.read(name), other[name])
    name = 'model.layers.0.mlp.up_proj.weight'
    assert torch.equal(source.read(name), weights[name])


def test_a_hub_name_is_fetched(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'snapshot', vocabulary)
    asked: list[str] = []
    source = open_source('mtgv/MobileVLM-1.7B', fetch=lambda name: asked.append(name) or folder)
    assert asked == ['mtgv/MobileVLM-1.7B'] and source.name == 'MobileVLM-1.7B'
    assert source.provenance['checkpoint'] == 'mtgv/MobileVLM-1.7B'


@pytest.mark.parametrize(
    'name',
    [
        'model.mm_projector.model.mb_block.2.block.1.fc2.bias',
        'model.layers.0.self_attn.k_proj.weight',
        'lm_head.weight',
    ],
)
def test_a_missing_tensor_is_named(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor], name: str
) -> None:
    rest = {k: v for k, v in weights.items() if k != name}
    folder = write_official(tmp_path / 'model', vocabulary, weights=rest)
    with pytest.raises(CheckpointError, match=f'lacks the tensor {name}; download'):
        open_source(folder)


def test_a_tower_whose_part_is_missing_names_the_option_that_helps(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    rest = {k: v for k, v in weights.items() if not k.startswith(f'{TOWER}encoder')}
    folder = write_official(tmp_path / 'model', vocabulary, weights=rest)
    with pytest.raises(CheckpointError, match=r'encoder\.layers\.0.* and \d+ more; .*--vision-t'):
        open_source(folder)


def test_a_misshapen_tensor_is_named_with_both_shapes(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    name = 'model.layers.0.mlp.down_proj.weight'
    folder = write_official(
        tmp_path / 'model', vocabulary, weights={**weights, name: torch.ones(64, 200)}
    )
    with pytest.raises(CheckpointError, match=rf'{name}.*\(64, 200\).*\(64, 256\) was expected'):
        open_source(folder)


def test_another_architecture_is_refused_by_name(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    change_config(folder, model_type='qwen2_vl')
    with pytest.raises(CheckpointError, match="model_type is 'qwen2_vl'; served is"):
        open_source(folder)


@pytest.mark.parametrize('lost', ['config.json', 'tokenizer.model', FILE])
def test_a_lost_file_is_named(tmp_path: Path, vocabulary: Path, lost: str) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / lost).unlink()
    with pytest.raises(CheckpointError, match=lost):
        open_source(folder)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'config.json').unlink()
    (folder / 'config.json').symlink_to(folder / 'config.json')
    with pytest.raises(CheckpointError, match=r'config\.json'):
        open_source(folder)


@pytest.mark.parametrize('where', ['/no/such/folder', 'plain', 'a/b/c', Path('owner/name')])
def test_what_is_neither_folder_nor_hub_name_is_not_fetched(where: str | Path) -> None:
    with pytest.raises(CheckpointError, match='is not a folder'):
        open_source(where, fetch=lambda name: pytest.fail(f'fetched {name}'))


def test_mean_std_and_licence_are_taken_from_the_folder(tmp_path: Path, vocabulary: Path) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    pixels = {'image_mean': [0.5, 0.5, 0.5], 'image_std': [0.25, 0.25, 0.25]}
    (folder / 'preprocessor_config.json').write_text(json.dumps(pixels))
    (folder / 'README.md').write_text('---\ntags:\n- x\nlicense: apache-2.0\n---\nText\n')
    source = open_source(folder)
    assert source.preprocessing == {'mean': [0.5] * 3, 'std': [0.25] * 3}
    assert source.license == 'apache-2.0'


def test_provenance_tells_no_paths(tmp_path: Path, vocabulary: Path) -> None:
    source = open_source(write_official(tmp_path / 'model', vocabulary))
    assert source.provenance == {'checkpoint': 'model', 'trained_from': 'mobilellama'}


def test_weights_of_another_type_are_read_too(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / FILE).unlink()
    write_weights(folder / 'model.safetensors', {k: v.bfloat16() for k, v in weights.items()})
    assert open_source(folder).read('lm_head.weight').dtype == torch.bfloat16


def test_weights_of_whole_numbers_are_refused(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    name = 'model.layers.0.mlp.up_proj.weight'
    eight_bits = torch.ones(256, 64, dtype=torch.int8)
    folder = write_official(tmp_path / 'model', vocabulary, weights={**weights, name: eight_bits})
    with pytest.raises(CheckpointError, match=rf'{name} is of type torch\.int8'):
        open_source(folder).read(name)


def test_a_known_tower_is_found_by_its_name_whatever_path_it_had(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor]
) -> None:
    rest = {name: tensor for name, tensor in weights.items() if not name.startswith(TOWER)}
    folder = write_official(tmp_path / 'model', vocabulary, weights=rest)
    change_config(folder, mm_vision_tower='/data/clip-vit-large-patch14-336')
    clip = write_clip(tmp_path / 'clip', TINY, weights)
    asked: list[str] = []
    open_source(folder, fetch=lambda name: asked.append(name) or clip)
    assert asked == ['openai/clip-vit-large-patch14-336']
    change_config(folder, mm_vision_tower='/data/unknown')
    with pytest.raises(CheckpointError, match=r'no vision tower.*--vision-tower'):
        open_source(folder)


@pytest.mark.parametrize('colour', [[0.5], 0.5, ['a', 0, 0], [0.5, 0.5, 7]])
def test_a_strange_mean_is_refused_at_once(tmp_path: Path, vocabulary: Path, colour: Any) -> None:
    folder = write_official(tmp_path / 'model', vocabulary)
    (folder / 'preprocessor_config.json').write_text(json.dumps({'image_mean': colour}))
    with pytest.raises(CheckpointError, match='three numbers'):
        open_source(folder)


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
    base = '/root/.cache/huggingface/hub/models--mtgv--MobileLLaMA-1.4B-Chat/snapshots/beef'
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
