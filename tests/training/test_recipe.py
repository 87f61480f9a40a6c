"""The whole recipe at toy size: from nothing to a bundle that the engine runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from mobilevlm_ros.convert.bundle import write_bundle
from mobilevlm_ros.convert.options import Options
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine import Frame, Question, open_engine
from mobilevlm_ros.sim.scenes import sample_scene
from mobilevlm_ros.training.curves import draw_curves
from mobilevlm_ros.training.recipe import Recipe, Trainer

TOY = Recipe(shards=2, per_shard=40, batch=4, turns=4, compiled=False)
TOY = replace(
    TOY,
    vision=replace(TOY.vision, steps=1),  # Muon's bfloat16 is slow on CPUs that have none
    language=replace(TOY.language, steps=1),
    joint=replace(TOY.joint, steps=1),
)


@pytest.mark.slow
def test_a_toy_recipe_becomes_a_bundle_that_answers(tmp_path: Path) -> None:
    checkpoint = Trainer(TOY, tmp_path, workers=1).run()
    assert draw_curves(tmp_path).stat().st_size > 5000
    write_bundle(open_source(checkpoint), tmp_path / 'toy', Options())
    with open_engine(tmp_path / 'toy') as engine:
        timing = engine.look(Frame(sample_scene(9, 0).view().image))
        answer = engine.ask(Question('What is ahead?', max_tokens=5))
    assert timing.visual_tokens == 100
    assert answer.timing.generated_tokens <= 5 and answer.model == 'nano'
