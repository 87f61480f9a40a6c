from dataclasses import replace
from typing import Any

import pytest

from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.config import (
    check_architecture,
    given,
    named_tower,
    read_geometry,
    read_resize,
    tower_config,
    write_config,
)
from mobilevlm_ros.model.mobilevlm import Geometry

# The keys of mtgv/MobileVLM-3B's config.json that matter, and those that mislead.
MOBILEVLM_3B = {
    'architectures': ['MobileLlamaForCausalLM'],
    'model_type': 'mobilevlm',
    'hidden_act': 'silu',
    'hidden_size': 2560,
    'image_aspect_ratio': 'pad',
    'intermediate_size': 6912,
    'max_position_embeddings': 2048,
    'max_sequence_length': 2048,
    'mm_hidden_size': 1024,
    'mm_projector_type': 'ldpnet',
    'mm_use_im_patch_token': False,
    'mm_use_im_start_end': False,
    'mm_vision_select_feature': 'patch',
    'mm_vision_select_layer': -2,
    'mm_vision_tower': 'openai/clip-vit-large-patch14-336',
    'n_head': 16,
    'n_query_groups': 16,
    'num_attention_heads': 32,
    'num_hidden_layers': 32,
    'num_key_value_heads': 32,
    'rms_norm_eps': 1e-06,
    'rope_scaling': None,
    'tie_word_embeddings': False,
    'vision_tower_type': 'clip',
    'vocab_size': 32000,
}


def read(**changes: Any) -> Geometry:
    config = given({**MOBILEVLM_3B, **changes}.items())
    return read_geometry(config, tower_config(config))


def test_a_3b_has_32_heads_of_80_whatever_its_left_over_keys_say() -> None:
    geometry = read()
    assert (geometry.heads, geometry.width // geometry.heads) == (32, 80)
    assert geometry.llama().num_key_value_heads == 32


def test_clip_s_known_sizes_follow_from_its_name() -> None:
    geometry = read()
    assert (geometry.image_size, geometry.patch_size, geometry.visual_tokens) == (336, 14, 144)
    assert (geometry.vision_width, geometry.vision_heads) == (1024, 16)
    assert geometry.vision_layers == 23  # hidden_states[-2] leaves one of 24 out


def test_a_7b_keeps_vicuna_s_numbers() -> None:
    geometry = read(
        hidden_size=4096, num_attention_heads=32, num_key_value_heads=32, rms_norm_eps=1e-5,
        max_position_embeddings=4096, max_sequence_length=2048, mm_projector_type='ldpnetv2',
        rope_theta=20000.0,
    )  # fmt: skip
    assert (geometry.rms_eps, geometry.context, geometry.rope_theta) == (1e-5, 2048, 20000.0)
    assert geometry.projector == 'ldpv2'
    assert geometry.llama().rope_parameters['rope_theta'] == 20000.0


def test_fewer_key_and_value_heads_are_served() -> None:
    assert read(num_key_value_heads=8).kv_heads == 8


def test_the_way_transformers_5_writes_rope_is_understood() -> None:
    rope = {'rope_type': 'default', 'rope_theta': 5e5}
    assert read(rope_parameters=rope).rope_theta == 5e5


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('model_type', 'qwen2_vl'),
        ('mm_projector_type', 'mlp2x_gelu'),
        ('mm_projector_type', None),
        ('mm_vision_select_layer', 3),
        ('mm_vision_select_layer', -30),
        ('mm_vision_select_feature', 'cls_patch'),
        ('mm_hidden_size', 768),
        ('mm_use_im_start_end', True),
        ('vision_tower_type', 'siglip'),
        ('image_aspect_ratio', 'anyres'),
        ('rope_scaling', {'type': 'linear', 'factor': 2.0}),
        ('rope_scaling', 'linear'),
        ('rope_parameters', {'rope_type': 'yarn'}),
        ('quantization_config', {'bits': 4}),
        ('attention_bias', True),
        ('rope_theta', '10000'),
        ('hidden_act', 'gelu'),
        ('hidden_size', '2560'),
        ('num_hidden_layers', 0),
        ('head_dim', 128),
        ('num_key_value_heads', 5),
        ('vision_config', 'CLIP'),
    ],
)
def test_what_is_not_served_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=f'{key} is '):
        read(**{key: value})


def test_an_unknown_tower_asks_for_its_folder() -> None:
    with pytest.raises(CheckpointError, match=r"'laion/huge'.*--vision-tower"):
        read(mm_vision_tower='laion/huge')


@pytest.mark.parametrize(
    ('key', 'expected'),
    [
        ('rms_norm_eps', {'rms_eps': 1e-6}),
        ('num_key_value_heads', {'kv_heads': 0}),
        ('vocab_size', {'vocabulary': 32000}),
        ('hidden_size', {'width': 4096}),
        ('intermediate_size', {'feed_forward': 11008}),
        ('max_position_embeddings', {'context': 2048}),
        ('max_sequence_length', {'context': 2048}),
        ('mm_hidden_size', {'vision_width': 1024}),
        ('mm_vision_select_layer', {'vision_layers': 23}),
        ('hidden_act', {}),
        ('image_aspect_ratio', {}),
        ('model_type', {}),
        ('tie_word_embeddings', {'tied': False}),
        ('vision_tower_type', {}),
    ],
)
def test_what_is_null_has_its_default(key: str, expected: dict[str, Any]) -> None:
    assert read(**{key: None}) == replace(read(), **expected)


@pytest.mark.parametrize(
    ('longest', 'said', 'context'),
    [(4096, None, 2048), (4096, 4096, 4096), (1024, None, 1024), (2048, 4096, 2048)],
)
def test_the_context_is_2048_unless_the_checkpoint_says_otherwise(
    longest: int, said: int | None, context: int
) -> None:
    geometry = read(max_position_embeddings=longest, max_sequence_length=said)
    assert geometry.context == context


@pytest.mark.parametrize(
    ('ratio', 'resize'), [('pad', 'pad'), ('square', 'crop'), (None, 'crop')]
)
def test_only_pad_pads(ratio: str | None, resize: str) -> None:
    config = given({**MOBILEVLM_3B, 'image_aspect_ratio': ratio}.items())
    assert read_resize(config) == resize


def test_ldpv2_makes_144_tokens_whatever_the_tower() -> None:
    for name in ('openai/clip-vit-large-patch14', 'openai/clip-vit-large-patch14-336'):
        assert read(mm_vision_tower=name, mm_projector_type='ldpnetv2').visual_tokens == 144
    assert read(mm_vision_tower='openai/clip-vit-large-patch14').visual_tokens == 64


@pytest.mark.parametrize(
    'name',
    [
        'openai/clip-vit-large-patch14-336',
        '/data/clip-vit-large-patch14-336/',
        '/home/ann/.cache/huggingface/hub/models--openai--clip-vit-large-patch14-336/snapshots/ce19dc',
    ],
)
def test_a_tower_goes_by_its_name_on_the_hub(name: str) -> None:
    assert named_tower({'mm_vision_tower': name}) == 'openai/clip-vit-large-patch14-336'
    assert read(mm_vision_tower=name).image_size == 336


def test_an_unknown_tower_of_a_cache_goes_by_its_name_too() -> None:
    path = '/x/hub/models--laion--CLIP-ViT-L-14/snapshots/0123abcd'
    assert named_tower({'mm_vision_tower': path}) == 'laion/CLIP-ViT-L-14'


@pytest.mark.parametrize('kind', ['clip', 'clip_vision_model'])
def test_a_vision_tower_alone_is_called_that(kind: str) -> None:
    with pytest.raises(CheckpointError, match=r'vision tower alone.*--vision-tower'):
        read(model_type=kind)


def test_a_language_model_alone_is_called_that() -> None:
    with pytest.raises(CheckpointError, match='language model without a vision part'):
        check_architecture({'model_type': 'llama', 'hidden_size': 2048})


def test_the_default_rope_may_be_spelt_out() -> None:
    assert read(rope_scaling={'rope_type': 'default'}) == read()


@pytest.mark.parametrize(
    ('key', 'value'),
    [('hidden_act', 'gelu'), ('layer_norm_eps', 1e-6), ('intermediate_size', 5000)],
)
def test_a_tower_that_is_no_plain_clip_is_refused(key: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=f'{key} {value!r}'):
        read(vision_config={**tower_config(MOBILEVLM_3B), key: value})


def test_patches_that_do_not_fill_the_image_are_refused() -> None:
    with pytest.raises(CheckpointError, match='330 pixels in patches of 14'):
        read(vision_config={**tower_config(MOBILEVLM_3B), 'image_size': 330})


def test_an_odd_number_of_patches_is_rounded_up() -> None:
    tower = {**tower_config(MOBILEVLM_3B), 'image_size': 322}
    assert read(vision_config=tower).visual_tokens == 144


@pytest.mark.parametrize('select_layer', [-1, -2])
@pytest.mark.parametrize('projector', ['ldp', 'ldpv2'])
def test_what_is_written_is_read_back(select_layer: int, projector: str) -> None:
    geometry = replace(Geometry(), projector=projector, tied=True, kv_heads=4, rope_theta=5e5)
    config = write_config(geometry, select_layer)
    assert read_geometry(config, tower_config(config)) == geometry
