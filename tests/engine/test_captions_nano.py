"""Captions of the model that ships, on a drive in the simulator."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mobilevlm_ros.engine import EngineConfig
from mobilevlm_ros.engine.bundle import load_bundle
from mobilevlm_ros.engine.captions import Captioner
from mobilevlm_ros.engine.change import GateSettings, token_change
from mobilevlm_ros.engine.draft import DraftedText, DraftPlan, plan_drafts
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.llm import LanguageModel, create_llm
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.steps import run_alone
from mobilevlm_ros.engine.types import Floats
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.world import random_pose, random_world
from tests.engine.drafting import generate

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


def say_all(
    llm: LanguageModel, folder: Path, views: list[Floats], plan: DraftPlan
) -> tuple[list[list[int]], int]:
    """The tokens of all captions, and the steps that they took."""
    bundle = load_bundle(folder)
    question = question_tokens(bundle.prompt, bundle.caption_question, llm.tokenise)
    captioner, said, steps = Captioner(GateSettings(), plan), [], 0
    for visual in views:
        llm.copy(0, 1)
        llm.decode_embeddings(1, visual)
        draft = captioner.draft()
        task = generate(llm, 1, question, DraftedText(llm, draft), 64)
        said.append(run_alone(llm, task))
        captioner.keep(said[-1])
        steps += len(draft.steps)
        llm.remove(1)
    return said, steps


def test_captions_with_and_without_drafts_are_the_same(
    llm: LanguageModel, folder: Path, views: list[Floats]
) -> None:
    plain, plain_steps = say_all(llm, folder, views, DraftPlan())
    drafted, drafted_steps = say_all(llm, folder, views, PLAN)
    assert drafted == plain
    assert len(set(map(tuple, plain))) > 1
    assert drafted_steps < plain_steps


def test_its_kernels_allow_drafts(llm: LanguageModel) -> None:
    assert plan_drafts(llm, 1, llm.tokenise('Describe the scene.')).rows == 8


def test_views_drift_apart_as_the_robot_turns(views: list[Floats]) -> None:
    near = [token_change(a, b) for a, b in pairwise(views)]
    far = [token_change(a, b) for a, b in zip(views, views[4:], strict=False)]
    assert 0 < np.mean(near) < np.mean(far) < 2
