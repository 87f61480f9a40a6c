"""A checkpoint's config.json and what a Geometry makes of it, in both directions.

The keys are those of the official checkpoints (Meituan-AutoML/MobileVLM, mobilevlm/model): a
LLaMA's, and `mm_*` for tower and projector. What is left out has the value that the official
code or transformers gives it. The tower's own sizes come from a CLIP config; a checkpoint may
carry it as `vision_config`, as ours do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig

from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import Geometry
from mobilevlm_ros.model.names import cached_name

Config = Mapping[str, Any]

MODEL_TYPES = ('mobilevlm', 'mobilellama', 'llava', 'llava_llama')
CLIP_TYPES = ('clip', 'clip_vision_model')
LANGUAGE_TYPES = ('llama', 'mobilellama')
PROJECTORS = {'ldpnetv2': 'ldpv2', 'ldpnet': 'ldp'}  # by how their names begin, as officially
CONTEXT = 2048  # where max_sequence_length is left out
# What must have one value, and may be left out. Left-over keys of other frameworks, such as the
# 3B model's misleading n_head and n_query_groups, are not read at all.
FIXED: dict[str, tuple[Any, ...]] = {
    'hidden_act': ('silu',),
    'attention_bias': (False,),
    'mlp_bias': (False,),
    'quantization_config': (None,),
    'vision_tower_type': ('clip',),
    'mm_vision_select_feature': ('patch',),
    'mm_use_im_start_end': (False,),
    'image_aspect_ratio': ('square', 'pad'),
}
LLAMA = LlamaConfig()
CLIP_LARGE_336 = {
    'hidden_size': 1024,
    'intermediate_size': 4096,
    'num_hidden_layers': 24,
    'num_attention_heads': 16,
    'image_size': 336,
    'patch_size': 14,
}
KNOWN_TOWERS = {
    'clip-vit-large-patch14-336': CLIP_LARGE_336,
    'clip-vit-large-patch14': {**CLIP_LARGE_336, 'image_size': 224},
}


def given(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The entries of an object in JSON; what is null is as if it were not there."""
    return {key: value for key, value in pairs if value is not None}


def read_geometry(config: Config, tower: Config) -> Geometry:
    """The sizes that a config.json and its tower's CLIP config speak of.

    Raises:
        CheckpointError: naming the key that is missing, wrong or not served.
    """
    check_architecture(config)
    heads = _integer(config, 'num_attention_heads')
    width = _integer(config, 'hidden_size')
    if width % heads or config.get('head_dim', width // heads) != width // heads:
        raise _unserved(config, 'head_dim', f'hidden_size {width} over {heads} attention heads')
    return Geometry(
        **_read_tower(config, tower),
        width=width,
        layers=_integer(config, 'num_hidden_layers'),
        heads=heads,
        kv_heads=_kv_heads(config, heads),
        feed_forward=_integer(config, 'intermediate_size'),
        vocabulary=_integer(config, 'vocab_size'),
        context=_context(config),
        projector=_projector(config),
        rope_theta=_rope_theta(config),
        rms_eps=_number(config, 'rms_norm_eps', 1e-6),
        tied=bool(config.get('tie_word_embeddings', False)),
    )


def read_resize(config: Config) -> str:
    """How an image becomes a square, as in bundle.json: all but `pad` is CLIP's own way."""
    return 'pad' if config.get('image_aspect_ratio') == 'pad' else 'crop'


def check_architecture(config: Config) -> None:
    """Refuse what is no MobileVLM, or one with a feature that nothing here serves."""
    kind = config.get('model_type', MODEL_TYPES[0])
    if kind in CLIP_TYPES:
        raise CheckpointError(
            'config.json is that of a CLIP, which is the vision tower alone; give the MobileVLM '
            'checkpoint, and this folder as --vision-tower if that has no tower'
        )
    if kind in LANGUAGE_TYPES and 'mm_projector_type' not in config:
        raise CheckpointError(
            'config.json is that of a language model without a vision part (it has no '
            'mm_projector_type); give a MobileVLM checkpoint such as mtgv/MobileVLM_V2-1.7B'
        )
    if kind not in MODEL_TYPES:
        raise _unserved(config, 'model_type', f'one of {", ".join(MODEL_TYPES)}')
    _projector(config)
    for key, served in FIXED.items():
        if config.get(key, served[0]) not in served:
            raise _unserved(config, key, ' or '.join(map(repr, served)))


def tower_config(config: Config) -> Config:
    """The CLIP config that a checkpoint carries, or that its tower's name stands for."""
    if 'vision_config' in config:
        return _section(config, 'vision_config')
    name = named_tower(config)
    known = KNOWN_TOWERS.get(name.rpartition('/')[2])
    if known is None:
        raise CheckpointError(
            f'config.json: the sizes of mm_vision_tower {name!r} are not known here; give the '
            "tower's folder, with its own config.json, as --vision-tower"
        )
    return known


def named_tower(config: Config) -> str:
    """The folder or hub name of the tower; nothing if there is none.

    Checkpoints may name a path of the machine that trained them: known towers go by their names,
    and what lay in a cache of the hub by its name there.
    """
    name = str(config.get('mm_vision_tower', '')).rstrip('/')
    if Path(name).is_dir():
        return name
    name = cached_name(name) or name
    base = name.rpartition('/')[2]
    return f'openai/{base}' if base in KNOWN_TOWERS else name


def write_config(geometry: Geometry, select_layer: int = -1) -> dict[str, Any]:
    """The config.json that `read_geometry` reads back to the same geometry.

    Args:
        geometry: whose config it is.
        select_layer: -1 if the tower has only the blocks that are used; -2, as official ones
            have it, if there is one more.
    """
    tower = replace(geometry, vision_layers=geometry.vision_layers - 1 - select_layer).clip()
    keys = (*CLIP_LARGE_336, 'hidden_act', 'layer_norm_eps')
    names = {ours: official for official, ours in PROJECTORS.items()}
    return {
        'architectures': ['MobileLlamaForCausalLM'],
        'model_type': 'mobilevlm',
        'hidden_size': geometry.width,
        'num_hidden_layers': geometry.layers,
        'num_attention_heads': geometry.heads,
        'num_key_value_heads': geometry.kv_heads or geometry.heads,
        'intermediate_size': geometry.feed_forward,
        'vocab_size': geometry.vocabulary,
        'max_position_embeddings': geometry.context,
        'max_sequence_length': geometry.context,
        'rope_theta': geometry.rope_theta,
        'rms_norm_eps': geometry.rms_eps,
        'tie_word_embeddings': geometry.tied,
        'hidden_act': 'silu',
        'bos_token_id': 1,
        'eos_token_id': 2,
        'pad_token_id': 0,
        'image_aspect_ratio': 'pad',
        'mm_hidden_size': geometry.vision_width,
        'mm_projector_type': names[geometry.projector],
        'mm_vision_select_feature': 'patch',
        'mm_vision_select_layer': select_layer,
        'vision_tower_type': 'clip',
        'vision_config': {key: getattr(tower, key) for key in keys},
    }


def _read_tower(config: Config, tower: Config) -> dict[str, int]:
    keys = (*CLIP_LARGE_336, 'hidden_act', 'layer_norm_eps')
    clip = CLIPVisionConfig(**{key: tower[key] for key in keys if key in tower})
    width, image, patch = clip.hidden_size, clip.image_size, clip.patch_size
    _check_clip(clip)
    if config.get('mm_hidden_size', width) != width:
        raise _unserved(config, 'mm_hidden_size', f"the tower's hidden_size of {width}")
    if image % patch:
        raise CheckpointError(
            f'the vision tower has {image} pixels in patches of {patch}; the projectors need a '
            'whole number of patches a side'
        )
    return {
        'image_size': image,
        'patch_size': patch,
        'vision_width': width,
        'vision_layers': _used_layers(config, clip.num_hidden_layers),
        'vision_heads': clip.num_attention_heads,
    }


def _projector(config: Config) -> str:
    name = str(config.get('mm_projector_type'))
    kind = next((ours for official, ours in PROJECTORS.items() if name.startswith(official)), '')
    if not kind:
        raise _unserved(config, 'mm_projector_type', ' or '.join(PROJECTORS))
    return kind


def _check_clip(clip: CLIPVisionConfig) -> None:
    served = {
        'hidden_act': 'quick_gelu',
        'layer_norm_eps': 1e-5,
        'intermediate_size': 4 * clip.hidden_size,
    }
    for key, value in served.items():
        if getattr(clip, key) != value:
            raise CheckpointError(
                f'the vision tower has the {key} {getattr(clip, key)!r}; only {value!r} is served'
            )


def _used_layers(config: Config, layers: int) -> int:
    """How many blocks lie before hidden_states[mm_vision_select_layer]; -2 leaves one out."""
    select = config.get('mm_vision_select_layer', -2)
    if type(select) is not int or not -layers <= select <= -1:
        raise _unserved(config, 'mm_vision_select_layer', f'from -{layers} to -1, mostly -2')
    return layers + 1 + select


def _kv_heads(config: Config, heads: int) -> int:
    kv_heads = _integer(config, 'num_key_value_heads', heads)
    if heads % kv_heads:
        raise _unserved(config, 'num_key_value_heads', f'a divisor of {heads} heads')
    return 0 if kv_heads == heads else kv_heads


def _context(config: Config) -> int:
    longest = _integer(config, 'max_position_embeddings')
    return min(longest, _integer(config, 'max_sequence_length', CONTEXT))


def _rope_theta(config: Config) -> float:
    """From the key of old checkpoints, or the section that transformers 5 writes."""
    sections = {key: _section(config, key) for key in ('rope_scaling', 'rope_parameters')}
    for key, section in sections.items():
        if section.get('rope_type', section.get('type', 'default')) != 'default':
            raise _unserved(config, key, "rope_type 'default'")
    rope = sections['rope_parameters']
    return _number(rope if 'rope_theta' in rope else config, 'rope_theta', 10000.0)


def _section(config: Config, key: str) -> Config:
    value = config.get(key, {})
    if not isinstance(value, Mapping):
        raise _unserved(config, key, 'an object')
    return value


def _number(config: Config, key: str, default: float) -> float:
    value = config.get(key, default)
    if type(value) not in (int, float) or not value > 0:
        raise _unserved(config, key, 'a number above zero')
    return float(value)


def _integer(config: Config, key: str, default: int | None = None) -> int:
    value = config.get(key, getattr(LLAMA, key) if default is None else default)
    if type(value) is not int or value < 1:
        raise _unserved(config, key, 'a whole number above zero')
    return value


def _unserved(config: Config, key: str, expected: str) -> CheckpointError:
    found = repr(config[key]) if key in config else 'not there'
    return CheckpointError(
        f'config.json: {key} is {found}; served is {expected}. Is this a MobileVLM checkpoint?'
    )
