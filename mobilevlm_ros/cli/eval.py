"""`mobilevlm eval`: how often a model answers right in the simulated world."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from mobilevlm_ros.arguments import any_path, new_file, whole
from mobilevlm_ros.cli.figures import write_figures
from mobilevlm_ros.engine import Engine, Frame, Question, open_engine
from mobilevlm_ros.sim.exam import SPLITS, sheets
from mobilevlm_ros.sim.questions import QUESTION_KINDS, QUESTIONS_VERSION
from mobilevlm_ros.sim.scoring import FactCount, add_facts, compare_facts, is_right

HELP = """\
Measure how often a model answers right in the simulated world.

The model runs as on a robot (ONNX Runtime and llama.cpp, greedy) on scenes that it never
trained on. Every scene is asked one question of each kind. Three splits:
  plain      scenes like those of training
  perturbed  the same scenes with other gain, blur, JPEG and a small roll
  unseen     only pairs of colour and thing that were kept out of training

examples:
  mobilevlm eval models/nano
  mobilevlm eval models/nano --seed 7 --split plain --json plain.json
"""
ENOUGH = 400  # questions of a kind, below which its figure says little


@dataclass(frozen=True)
class Mark:
    """One question, what the model said, and whether that is right."""

    scene: int
    kind: str
    question: str
    truth: str
    answer: str

    @property
    def right(self) -> bool:
        """Whether the answer says the same as the truth."""
        return is_right(self.kind, self.answer, self.truth)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add = parser.add_argument
    add('bundle', type=any_path, help='folder of the model, such as models/nano')
    add('--scenes', type=whole(1), default=1200, metavar='N', help='of each split (1200)')
    add('--seed', type=whole(0), default=0, metavar='N', help='other scenes for other seeds (0)')
    add('--split', choices=[*SPLITS, 'all'], default='all', help='which to measure (all)')
    add('--json', type=new_file, metavar='FILE', help='also write the figures here')
    add('--wrong', type=whole(0), default=0, metavar='N', help='print N wrong answers')


def run(args: argparse.Namespace) -> int:
    """Measure, print a table, write the figures."""
    splits = list(SPLITS) if args.split == 'all' else [args.split]
    results = {}
    with open_engine(args.bundle) as engine:
        for split in splits:
            marks = list(examine(engine, split, args.seed, args.scenes))
            results[split] = summarise(marks)
            print(table(split, results[split]), flush=True)
            for mark in [m for m in marks if not m.right][: args.wrong]:
                print(f'  scene {mark.scene}: {mark.question} {mark.answer!r}, not {mark.truth!r}')
    if args.json:
        head = {'bundle': str(args.bundle), 'questions_version': QUESTIONS_VERSION}
        figures = {**head, 'seed': args.seed, 'scenes': args.scenes, 'splits': results}
        write_figures(args.json, figures)
    return 0


def examine(engine: Engine, split: str, seed: int, scenes: int) -> Iterator[Mark]:
    """Ask the model every question of a split."""
    asked = sheets(split, seed, scenes)
    for sheet in tqdm(asked, split, scenes, unit='scene', leave=False, disable=None):
        engine.look(Frame(sheet.image))
        for qa in sheet.questions:
            answer = engine.ask(Question(qa.question)).text
            yield Mark(sheet.index, qa.kind, qa.question, qa.answer, answer)


def summarise(marks: list[Mark]) -> dict[str, Any]:
    """Accuracy, count and 95% interval of all questions and by kind; facts of descriptions."""
    kinds = {kind: [m.right for m in marks if m.kind == kind] for kind in QUESTION_KINDS}
    described = [compare_facts(m.answer, m.truth) for m in marks if m.kind == 'describe']
    return {
        'overall': proportion([m.right for m in marks]),
        'kinds': {kind: proportion(right) for kind, right in kinds.items()},
        'description': {name: _fact_row(c) for name, c in add_facts(described).items()},
    }


def proportion(right: list[bool]) -> dict[str, Any]:
    """Share of right answers with its 95% Wilson interval."""
    if not right:
        return {'accuracy': None, 'count': 0, 'interval': None}
    from scipy.stats import binomtest

    interval = binomtest(sum(right), len(right)).proportion_ci(0.95, method='wilson')
    return {
        'accuracy': sum(right) / len(right),
        'count': len(right),
        'interval': [float(interval.low), float(interval.high)],
    }


def _fact_row(count: FactCount) -> dict[str, Any]:
    return {
        'precision': count.precision,
        'recall': count.recall,
        'f1': count.f1,
        'count': count.true,
    }


def table(split: str, result: dict[str, Any]) -> str:
    """The figures of a split for people."""
    lines = [f'{split}: {SPLITS[split]}', '  kind         right   95% interval   questions']
    rows = {**result['kinds'], 'all': result['overall']}
    lines += [_row(kind, row) for kind, row in rows.items() if row['count']]
    lines.append('  description  precision  recall     F1')
    lines += [
        f'    {name:10} {row["precision"]:9.3f} {row["recall"]:7.3f} {row["f1"]:6.3f}'
        for name, row in result['description'].items()
    ]
    return '\n'.join(lines)


def _row(kind: str, row: dict[str, Any]) -> str:
    low, high = row['interval']
    few = '  (few: use more --scenes)' if row['count'] < ENOUGH else ''
    return f'  {kind:11} {row["accuracy"]:6.3f}  {low:.3f} to {high:.3f}  {row["count"]:8}{few}'
