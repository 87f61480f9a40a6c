"""Captions of the model that ships, on a drive in the simulator."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import EngineConfig
from mobilevlm_ros.engine.bundle import load_bundle
from mobilevlm_ros.engine.captions import Captioner, Said
from mobilevlm_ros.engine.change import GateSettings, token_change
from mobilevlm_ros.engine.draft import DraftPlan, plan_drafts
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.generation import Limits
from mobilevlm_ros.engine.llm import LanguageModel, create_llm
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.steps import run_alone
from mobilevlm_ros.engine.types import Floats
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.world import random_pose, random_world

CONFIG = EngineConfig(encoder_threads=1, llm_threads=1)
PLAN = DraftPlan((1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7))
VIEWS = 12


@pytest.fixture(scope='module')
def folder(root: Path) -> Path:
    return root / 'models' / 'nano'


@pytest.fixture(scope='module')
def views(folder: Path) -> list[Floats]:
    """Visual tokens of a robot that turns on the spot."""
    bundle = load_bundle(folder)
    encoder = create_encoder(bundle, CONFIG)
    world = random_world(3)
    pose, seen = random_pose(world, np.random.default_rng(3)), []
    for _ in range(VIEWS):
        pose, _ = drive(world, pose, 0.0, 0.5, 0.5)
        image = np.empty((1, 3, bundle.vision.image_size, bundle.vision.image_size), np.float32)
        preprocess(render(world, pose, noise_seed=5).image, bundle.vision, out=image[0])
        seen.append(encoder.encode(image)[0].copy())
    encoder.close()
    return seen


@pytest.fixture(scope='module')
def llm(folder: Path) -> Iterator[LanguageModel]:
    bundle = load_bundle(folder)
    llm = create_llm(bundle, CONFIG, 2, bundle.vision.visual_tokens)
    llm.decode(0, head_tokens(bundle.prompt, llm.tokenise, llm.bos))
    yield llm
    llm.close()


def say_all(llm: LanguageModel, folder: Path, views: list[Floats], plan: DraftPlan) -> list[Said]:
    bundle = load_bundle(folder)
    question = question_tokens(bundle.prompt, bundle.caption_question, llm.tokenise)
    captioner, said = Captioner(GateSettings(), plan), []
    for visual in views:
        llm.copy(0, 1)
        llm.decode_embeddings(1, visual)
        said.append(run_alone(llm, captioner.say(llm, 1, question, Limits(64))))
        llm.remove(1)
    return said


def test_captions_with_and_without_drafts_are_the_same(
    llm: LanguageModel, folder: Path, views: list[Floats]
) -> None:
    plain, drafted = (say_all(llm, folder, views, plan) for plan in (DraftPlan(), PLAN))
    assert [each.tokens for each in drafted] == [each.tokens for each in plain]
    assert len({each.text for each in plain}) > 1
    assert sum(len(each.steps) for each in drafted) < sum(len(each.steps) for each in plain)


def test_its_kernels_allow_drafts(llm: LanguageModel) -> None:
    assert plan_drafts(llm, 1, llm.tokenise('Describe the scene.')).rows == 8


def test_views_drift_apart_as_the_robot_turns(views: list[Floats]) -> None:
    near = [token_change(a, b) for a, b in pairwise(views)]
    far = [token_change(a, b) for a, b in zip(views, views[4:], strict=False)]
    assert 0 < np.mean(near) < np.mean(far) < 2
