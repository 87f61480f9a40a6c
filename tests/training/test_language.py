"""Packing many questions into one sequence must train on what the engine decodes one by one."""

import numpy as np
import pytest
import torch

from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm
from mobilevlm_ros.training.language import (
    IGNORED,
    Turn,
    attention_mask,
    choose_turns,
    language_losses,
    pack,
)

GEOMETRY = Geometry(
    image_size=40, vision_width=32, vision_layers=1, vision_heads=2,
    width=64, layers=2, heads=2, feed_forward=128, vocabulary=50, context=64,
)  # fmt: skip
HEAD = torch.tensor([1, 7, 8])
TURNS = [
    Turn([10, 11, 12], [20, 21, 2], 0),
    Turn([13, 14], [22, 2], 1),
    Turn([15, 16, 17, 18], [23, 24, 25, 2], 0),
]
KINDS = ['first', 'second']


@pytest.fixture
def model() -> MobileVlm:
    torch.manual_seed(0)
    return MobileVlm(GEOMETRY).eval()


def losses(model: MobileVlm, visual: torch.Tensor, turns: list[list[Turn]]) -> dict[str, float]:
    with torch.no_grad():
        found = language_losses(model, HEAD, visual, pack(turns), KINDS)
    return {k: float(v) * len(KINDS) for k, v in found.items()}


def test_packed_questions_cost_what_they_cost_alone(model: MobileVlm) -> None:
    visual = torch.randn(1, 4, GEOMETRY.width)
    together = losses(model, visual, [TURNS])
    alone = [losses(model, visual, [[turn]]) for turn in TURNS]
    assert together['second'] == pytest.approx(alone[1]['second'], abs=1e-4)
    lengths = [len(TURNS[0].answer), len(TURNS[2].answer)]
    expected = np.average([alone[0]['first'], alone[2]['first']], weights=lengths)
    assert together['first'] == pytest.approx(expected, abs=1e-4)


def test_images_of_a_batch_do_not_mix(model: MobileVlm) -> None:
    visual = torch.randn(2, 4, GEOMETRY.width)
    both = losses(model, visual, [TURNS[:1], [TURNS[2]]])
    alone = [losses(model, visual[i : i + 1], [[TURNS[2 * i]]])['first'] for i in (0, 1)]
    assert both['first'] == pytest.approx(np.average(alone, weights=[3, 4]), abs=1e-4)


def test_only_answers_are_learnt() -> None:
    packed = pack([TURNS])
    assert packed.labels[0][packed.labels[0] != IGNORED].tolist() == [
        token for turn in TURNS for token in turn.answer
    ]


def test_a_turn_sees_the_prefix_and_its_own_past_alone() -> None:
    allowed = attention_mask(torch.tensor([[0, 0, 1, 1]]), prefix=2)[0, 0]
    assert allowed.int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 1, 1],
    ]


def test_long_answers_are_chosen_once_an_image() -> None:
    chosen = choose_turns(TURNS * 3, most=5, once=0, rng=np.random.default_rng(0))
    assert [t.kind for t in chosen].count(0) == 1 and len(chosen) <= 5


def test_padding_costs_nothing(model: MobileVlm) -> None:
    visual = torch.randn(1, 4, GEOMETRY.width)
    packed = pack([TURNS], padding=64)
    assert packed.ids.shape == (1, 64)
    with torch.no_grad():
        padded = language_losses(model, HEAD, visual, packed, KINDS)
        exact = language_losses(model, HEAD, visual, pack([TURNS]), KINDS)
    assert {k: float(v) for k, v in padded.items()} == pytest.approx(
        {k: float(v) for k, v in exact.items()}, abs=1e-5
    )
