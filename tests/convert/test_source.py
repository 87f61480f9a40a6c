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
    change_config,
    half_weights,
    make_model,
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


@pytest.mark.parametrize('kind', [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_weights_of_eight_bits_are_refused(
    tmp_path: Path, vocabulary: Path, weights: dict[str, Tensor], kind: torch.dtype
) -> None:
    name = 'model.layers.0.mlp.up_proj.weight'
    eight_bits = torch.ones(256, 64).to(kind)
    folder = write_official(tmp_path / 'model', vocabulary, weights={**weights, name: eight_bits})
    with pytest.raises(CheckpointError, match=rf'{name} is of type {kind} where float16'):
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
