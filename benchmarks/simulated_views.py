"""What a robot's camera sees in the simulator, through a sensor with noise and flicker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mobilevlm_ros.demo.driver import Driver
from mobilevlm_ros.engine import EngineConfig, Frame
from mobilevlm_ros.engine.bundle import Bundle, load_bundle
from mobilevlm_ros.engine.captions import Captioner
from mobilevlm_ros.engine.draft import DraftedText
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.llm import create_llm
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.sampling import greedy
from mobilevlm_ros.engine.steps import Part, Task, run_alone
from mobilevlm_ros.engine.types import Floats, Pixels
from mobilevlm_ros.sim.camera import render
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.sim.world import Pose, World, random_pose, random_world

SPEED = 0.5  # of the demo's driver: 0.22 m/s at most
STEP_S = 0.1
MOST_TOKENS = 64


@dataclass(frozen=True)
class Sensor:
    """One camera: its exposure and noise, and how much the exposure varies between frames."""

    gain: float
    noise: float  # grey levels
    flicker: float = 0.05

    def expose(self, image: Pixels, rng: np.random.Generator) -> Pixels:
        """A frame of what is there."""
        gain = self.gain * (1 + rng.uniform(-self.flicker, self.flicker))
        noise = rng.standard_normal(image.shape, np.float32) * self.noise
        return np.clip(image * np.float32(gain) + noise, 0, 255).astype(np.uint8)


def random_sensor(rng: np.random.Generator) -> Sensor:
    """One of the exposures and noises that models/nano was trained on."""
    return Sensor(float(rng.uniform(0.7, 1.2)), float(rng.uniform(1, 9)))


def slow_drive(seed: int, period_s: float) -> Iterator[tuple[World, Pose]]:
    """Where the robot is, every so often, on its endless way about a room."""
    world = random_world(seed)
    pose, driver = random_pose(world, np.random.default_rng(seed)), Driver(world)
    while True:
        yield world, pose
        for _ in range(round(period_s / STEP_S)):
            v, w = driver.steer(pose)
            pose, _ = drive(world, pose, v * SPEED, w * SPEED, STEP_S)


def vanishing(index: int) -> tuple[Pixels, Pixels] | None:
    """A view with and without one of the things that are surely seen in it."""
    scene = sample_scene(23, index)
    sure = [each.thing for each in scene.observe().sightings if each.sure]
    if not sure:
        return None
    gone = sure[index % len(sure)]
    rest = replace(scene.world, things=tuple(t for t in scene.world.things if t is not gone))
    return render(scene.world, scene.pose).image, render(rest, scene.pose).image


@dataclass(frozen=True)
class Said:
    """A caption, its tokens but for the end token, and those proposed and accepted in each step.

    The first token comes with the question and is no step.
    """

    text: str
    tokens: list[int]
    steps: list[tuple[int, int]]


class Speaker:
    """A bundle that captions frames, without engine and threads: encoder and language model."""

    def __init__(self, path: str) -> None:
        self.bundle: Bundle = load_bundle(path)
        config = EngineConfig(encoder_threads=1, llm_threads=1)
        self._encoder = create_encoder(self.bundle, config)
        self.llm = create_llm(self.bundle, config, 2, self.bundle.vision.visual_tokens)
        spec = self.bundle.prompt
        head = head_tokens(spec, self.llm.tokenise, self.llm.bos)
        self._question = question_tokens(spec, self.bundle.caption_question, self.llm.tokenise)
        self.llm.decode(0, head)
        self.prompt = [*head, *self._question]

    def encode(self, pixels: Pixels) -> Floats:
        """Visual tokens, float32 (n, width)."""
        spec = self.bundle.vision
        image = np.empty((1, 3, spec.image_size, spec.image_size), np.float32)
        preprocess(Frame(pixels).pixels, spec, out=image[0])
        return self._encoder.encode(image)[0].copy()

    def say(self, visual: Floats, captioner: Captioner) -> Said:
        """Caption a view."""
        self.llm.copy(0, 1)
        self.llm.decode_embeddings(1, visual)
        draft = captioner.draft()
        tokens = run_alone(self.llm, self._generate(DraftedText(self.llm, draft)))
        captioner.keep(tokens)
        self.llm.remove(1)
        text = b''.join(map(self.llm.piece, tokens)).decode(errors='replace').strip()
        return Said(text, tokens, draft.steps)

    def _generate(self, extend: DraftedText) -> Task[list[int]]:
        (rows,) = yield [Part(1, self._question)]
        tokens, said = [greedy(rows[-1])], []
        while True:
            for token in tokens:
                if self.llm.is_end(token) or len(said) == MOST_TOKENS:
                    return said
                said.append(token)
            left = max(1, MOST_TOKENS - len(said))
            tokens = yield from extend(1, tokens[-1], greedy, left)
