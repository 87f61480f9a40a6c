"""Our projectors against numbers that the official definitions gave.

make_official_projectors.py tells how the numbers were made.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from mobilevlm_ros.model.projector import PROJECTORS, create_projector, pool

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope='module')
def official() -> Arrays:
    with np.load(Path(__file__).with_name('official_projectors.npz')) as arrays:
        return dict(arrays)


def weights_of(kind: str, official: Arrays) -> dict[str, torch.Tensor]:
    prefix = f'{kind}/weights/'
    found = official.items()
    return {k.removeprefix(prefix): torch.tensor(v) for k, v in found if k.startswith(prefix)}


def run(kind: str, official: Arrays, weights: dict[str, torch.Tensor]) -> np.ndarray:
    features, tokens = official[f'{kind}/features'], official[f'{kind}/tokens']
    projector = create_projector(kind, features.shape[-1], tokens.shape[-1])
    projector.load_state_dict(weights)  # strict: every official name, and no other
    with torch.no_grad():
        return projector(torch.tensor(features)).numpy()


@pytest.mark.parametrize('kind', PROJECTORS)
def test_visual_tokens_are_the_official_ones(kind: str, official: Arrays) -> None:
    expected = official[f'{kind}/tokens']
    found = run(kind, official, weights_of(kind, official))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize('kind', PROJECTORS)
def test_every_weight_matters(kind: str, official: Arrays) -> None:
    expected = official[f'{kind}/tokens']
    weights = weights_of(kind, official)
    for name, weight in weights.items():
        changed = {**weights, name: weight.flip(0)}  # which no norm after it can undo
        difference = np.abs(run(kind, official, changed) - expected).max()
        assert difference > 1e-3 * np.abs(expected).max(), name


@pytest.mark.parametrize('patches', [4, 7, 12, 16, 20, 24, 27, 36])
def test_any_grid_is_pooled_as_pytorch_pools_it_to_12(patches: int) -> None:
    grid = torch.randn(2, 3, patches, patches, generator=torch.Generator().manual_seed(patches))
    expected = torch.nn.functional.adaptive_avg_pool2d(grid, (12, 12))
    assert torch.allclose(pool(grid), expected, atol=1e-6)
