import math

import pytest
import torch

from mobilevlm_ros.convert.presets import LARGE, PRESETS, SMALL, VICUNA
from mobilevlm_ros.model.mobilevlm import PROJECTOR, TOWER, Geometry, MobileVlm, weight_shapes


def count(geometry: Geometry, *prefixes: str) -> int:
    shapes = weight_shapes(geometry).items()
    return sum(math.prod(shape) for name, shape in shapes if name.startswith(prefixes))


@pytest.mark.parametrize(
    ('geometry', 'parameters'),
    [(SMALL, 1_364_297_728), (LARGE, 2_701_560_320), (VICUNA, 6_738_415_616)],
)
def test_the_language_models_have_the_published_sizes(geometry: Geometry, parameters: int) -> None:
    assert count(geometry, 'model.layers', 'model.embed', 'model.norm', 'lm_head') == parameters


@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        ('mobilevlm-1.7b', 18_936_832),
        ('mobilevlm-3b', 28_913_920),
        ('mobilevlm-v2-1.7b', 6_316_032),
        ('mobilevlm-v2-3b', 9_205_760),
        ('mobilevlm-v2-7b', 21_020_672),
    ],
)
def test_the_projectors_have_the_official_sizes(name: str, parameters: int) -> None:
    assert count(PRESETS[name], PROJECTOR) == parameters


def test_weights_have_the_official_names() -> None:
    first, second = (weight_shapes(Geometry(projector=kind)) for kind in ('ldp', 'ldpv2'))
    assert f'{TOWER}embeddings.class_embedding' in first
    assert f'{TOWER}pre_layrnorm.weight' in first
    assert f'{TOWER}encoder.layers.5.self_attn.out_proj.bias' in first
    assert f'{PROJECTOR}model.mb_block.1.block.0.1.weight' in first
    assert f'{PROJECTOR}mlp.mlp.2.weight' in second and f'{PROJECTOR}peg.peg.0.bias' in second
    assert TOWER == 'model.vision_tower.vision_tower.vision_model.'


def test_tied_embeddings_are_one_tensor() -> None:
    tied = MobileVlm(Geometry(tied=True, layers=1, vision_layers=1))
    assert 'lm_head.weight' not in tied.named_weights()
    assert 'lm_head.weight' in weight_shapes(Geometry())
    assert tied.llama.lm_head.weight is tied.llama.model.embed_tokens.weight


@torch.no_grad()
@pytest.mark.parametrize(
    ('projector', 'size', 'count'),
    [('ldp', 200, 100), ('ldp', 190, 100), ('ldpv2', 200, 144), ('ldpv2', 240, 144)],
)
def test_ldp_keeps_a_quarter_of_the_patches_and_ldpv2_144(
    projector: str, size: int, count: int
) -> None:
    geometry = Geometry(image_size=size, layers=1, vision_layers=1, projector=projector)
    tokens = MobileVlm(geometry).eval().encode(torch.zeros(2, 3, size, size))
    assert tokens.shape == (2, geometry.visual_tokens, geometry.width) == (2, count, 256)
