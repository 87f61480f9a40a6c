from dataclasses import replace
from typing import Any

import pytest

from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.config import read_geometry, tower_config, write_config
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
    config = {**MOBILEVLM_3B, **changes}
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
        ('model_type', 'llama'),
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
        ('rope_parameters', {'rope_type': 'yarn'}),
        ('quantization_config', {'bits': 4}),
        ('attention_bias', True),
        ('rope_theta', '10000'),
        ('rms_norm_eps', None),
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
    ('key', 'value'),
    [('hidden_act', 'gelu'), ('layer_norm_eps', 1e-6), ('intermediate_size', 5000)],
)
def test_a_tower_that_is_no_plain_clip_is_refused(key: str, value: Any) -> None:
    tower = {**tower_config(MOBILEVLM_3B), key: value}
    with pytest.raises(CheckpointError, match=f'{key} {value!r}'):
        read_geometry(MOBILEVLM_3B, tower)


def test_an_odd_number_of_patches_is_refused() -> None:
    with pytest.raises(CheckpointError, match='322 pixels in patches of 14'):
        read_geometry(MOBILEVLM_3B, {**tower_config(MOBILEVLM_3B), 'image_size': 322})


@pytest.mark.parametrize('select_layer', [-1, -2])
@pytest.mark.parametrize('projector', ['ldp', 'ldpv2'])
def test_what_is_written_is_read_back(select_layer: int, projector: str) -> None:
    geometry = replace(Geometry(), projector=projector, tied=True, kv_heads=4, rope_theta=5e5)
    config = write_config(geometry, select_layer)
    assert read_geometry(config, tower_config(config)) == geometry
