"""How well the last caption guesses the next one: models/nano on slow drives in the simulator.

Writes the tokens proposed and accepted in every step, to be replayed on the cost of a larger
model, and checks that every caption is the one that comes without drafts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from simulated_views import Said, Speaker, random_sensor, slow_drive

from mobilevlm_ros.engine.captions import Captioner
from mobilevlm_ros.engine.change import GateSettings
from mobilevlm_ros.engine.draft import DraftPlan, plan_drafts
from mobilevlm_ros.engine.types import Floats
from mobilevlm_ros.sim.camera import render

# Of 1 to 8 tokens at once, in units of one: MobileVLM-1.7B Q4_K_M, two threads, a busy machine.
COSTS = (1.0, 1.39, 1.50, 1.39, 1.77, 2.12, 2.59, 2.61)
GATES = {'change': GateSettings(), 'rate': GateSettings(caption_change=0.0)}
ROWS = (3, 8)  # exact for Q4_K_M and for q8_0
Costs = tuple[float, ...]
Trace = dict[str, object]


def views(speaker: Speaker, seed: int, count: int, period_s: float) -> list[Floats]:
    """Visual tokens of one drive."""
    rng = np.random.default_rng([seed, 9])
    sensor = random_sensor(rng)
    poses = islice(slow_drive(seed, period_s), count)
    return [speaker.encode(sensor.expose(render(*at).image, rng)) for at in poses]


def captions(
    speaker: Speaker, drive: Iterable[Floats], gate: GateSettings, plan: DraftPlan, period_s: float
) -> list[Said]:
    """What is said on one drive."""
    captioner, said = Captioner(gate, plan), []
    for index, visual in enumerate(drive):
        now = index * period_s
        if captioner.gate.reason(captioner.gate.change(visual), now) is not None:
            captioner.gate.tell(visual, now)
            said.append(speaker.say(visual, captioner))
    return said


def summary(said: list[Said], costs: Costs) -> Trace:
    """Figures of all captions; the first token of each comes with the question and costs none."""
    steps = [step for each in said for step in each.steps]
    proposed, accepted = np.sum(steps, axis=0).tolist()
    spent = sum(costs[count] for count, _ in steps)
    return {
        'captions': len(said),
        'tokens_per_caption': round(float(np.mean([len(each.tokens) for each in said])), 2),
        'acceptance': round(accepted / max(1, proposed), 3),
        'accepted_per_step': round(accepted / len(steps), 3),
        'tokens_per_step': round(1 + accepted / len(steps), 3),
        'speed_on_those_costs': round((len(steps) + accepted) / spent, 3),
    }


def traces(
    speaker: Speaker, drives: list[list[Floats]], gate: str, costs: Costs, s: float
) -> Iterator[Trace]:
    """Captions of all drives with drafts, compared with those without."""
    plain, *drafted = (
        [c for each in drives for c in captions(speaker, each, GATES[gate], plan, s)]
        for plan in (DraftPlan(), *(DraftPlan(costs[:rows]) for rows in ROWS))
    )
    for rows, said in zip(ROWS, drafted, strict=True):
        yield trace(gate, costs[:rows], said, plain)


def trace(gate: str, costs: Costs, said: list[Said], plain: list[Said]) -> Trace:
    """What drafts did, in figures and step by step."""
    equal = sum(a.tokens == b.tokens for a, b in zip(said, plain, strict=True))
    found = {'gate': gate, 'rows': len(costs), 'equal_to_plain': equal, **summary(said, costs)}
    print(json.dumps(found))
    return {**found, 'costs': costs, 'steps': [each.steps for each in said]}


def main() -> None:
    """Drive, caption, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='models/nano')
    parser.add_argument('--drives', type=int, default=6)
    parser.add_argument('--views', type=int, default=60, help='of each drive')
    parser.add_argument('--period', type=float, default=1.0, help='seconds between views')
    parser.add_argument('--costs', type=float, nargs='+', default=COSTS, help='batch_cost.py')
    parser.add_argument('--json', default='benchmarks/caption_trace.json')
    args = parser.parse_args()
    speaker = Speaker(args.bundle)
    print('exact rows here:', plan_drafts(speaker.llm, 1, speaker.prompt).rows)
    seeds = range(100, 100 + args.drives)
    drives = [views(speaker, seed, args.views, args.period) for seed in seeds]
    costs = tuple(args.costs)
    found = [each for gate in GATES for each in traces(speaker, drives, gate, costs, args.period)]
    content = {'bundle': args.bundle, 'period_s': args.period, 'traces': found}
    Path(args.json).write_text(json.dumps(content) + '\n')


if __name__ == '__main__':
    main()
