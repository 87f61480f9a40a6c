"""`mobilevlm calibrate`: how far a model's probabilities can be trusted, and making them so."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import mean
from typing import Any

from mobilevlm_ros.arguments import any_path, new_file, new_folder, whole
from mobilevlm_ros.cli.figures import write_figures
from mobilevlm_ros.engine import EngineConfig
from mobilevlm_ros.engine.bundle import MANIFEST
from mobilevlm_ros.engine.errors import ConfigError
from mobilevlm_ros.sim.exam import SPLITS
from mobilevlm_ros.sim.questions import QUESTIONS_VERSION
from mobilevlm_ros.training.calibration import (
    Sureness,
    accuracy_at,
    answered,
    calibration_error,
    confidence_at,
    fit_temperature,
    reliability,
    sureness,
)
from mobilevlm_ros.training.typed_exam import TypedMark, TypedReader, typed_marks

HELP = """\
Measure how far the probabilities of a model's typed answers can be trusted.

A typed question comes with its choices, and the model says how probable each is: one says "80%"
and is right four times in five, if it is well calibrated. Every question of the simulated world
that has a closed set of answers is asked. The table tells, for each split:
  error       expected calibration error: mean distance of what it says and how often it is right
  accuracy    how often its likeliest choice is right
  at 80%      the same where it abstains from the fifth of the questions it is least sure of
  threshold   the min_probability that makes it abstain so
and then how much is answered, and how well, with some values of min_probability.

--fit finds the temperature that makes the probabilities fit, by 2,000 questions about other scenes
than those measured, and writes it into the bundle ("language": {"temperature": ...}).

examples:
  mobilevlm calibrate models/nano
  mobilevlm calibrate models/nano --fit --figures docs
  mobilevlm calibrate models/nano --questions 500 --seed 7 --json figures.json
"""
CONFIG = EngineConfig(encoder_threads=1)  # frames are small, and waiting threads spin
MEASURED = ('plain', 'perturbed')
FIT_SEED = 1 << 20  # added to the seed: far from what anybody measures on
FIT_QUESTIONS = 2000  # for one number
COVERAGE = 0.8
LEAST = (0.5, 0.9, 0.95, 0.99)  # probabilities to abstain below


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add = parser.add_argument
    add('bundle', type=any_path, help='folder of the model, such as models/nano')
    add('--questions', type=whole(1), default=5000, metavar='N', help='of each split (5000)')
    add('--seed', type=whole(0), default=0, metavar='N', help='other scenes for other seeds (0)')
    add('--fit', action='store_true', help='fit the temperature, and keep it')
    add('--split', choices=SPLITS, action='append', help='(plain and perturbed)')
    add('--figures', type=new_folder, metavar='FOLDER', help='draw two pictures there')
    add('--json', type=new_file, metavar='FILE', help='also write the figures here')


def run(args: argparse.Namespace) -> int:
    """Fit if told to, measure, print a table, write the figures."""
    check_targets(args)
    with TypedReader(args.bundle, CONFIG) as reader:
        temperature = reader.bundle.temperature
        if args.fit:
            count = min(args.questions, FIT_QUESTIONS)
            temperature = fit(reader, args.seed + FIT_SEED, count)
            write_temperature(args.bundle, temperature)
        marks = {
            split: list(typed_marks(reader, split, args.seed, args.questions))
            for split in args.split or MEASURED
        }
    found = {split: judge(each, temperature) for split, each in marks.items()}
    rows = {
        split: {**figures(each), 'decoded_tokens': decoded_tokens(marks[split])}
        for split, each in found.items()
    }
    uncalibrated = {split: calibration_error(judge(each, 1.0)) for split, each in marks.items()}
    print(table(rows, temperature, uncalibrated))
    if args.figures:
        draw(found, args.figures)
    if args.json:
        head = {'bundle': str(args.bundle), 'questions_version': QUESTIONS_VERSION}
        result = {**head, 'seed': args.seed, 'temperature': temperature, 'splits': rows}
        write_figures(args.json, result)
    return 0


def check_targets(args: argparse.Namespace) -> None:
    """Raise if the temperature that takes minutes to find could not be kept."""
    if args.fit and args.bundle.is_dir() and not os.access(args.bundle, os.W_OK):
        raise ConfigError(f'--fit writes into {args.bundle}, which cannot be written to; copy it')


def fit(reader: TypedReader, seed: int, questions: int) -> float:
    """The temperature that fits so many questions, half of them about perturbed frames."""
    half = -(-questions // 2)
    marks = [mark for split in MEASURED for mark in typed_marks(reader, split, seed, half)]
    return round(fit_temperature([m.scores for m in marks], [m.truth for m in marks]), 3)


def write_temperature(bundle: Path, temperature: float) -> None:
    """Keep it in bundle.json; nothing else there changes."""
    path = bundle / MANIFEST
    manifest = json.loads(path.read_text(encoding='utf-8'))
    manifest['language']['temperature'] = temperature
    partial = path.with_suffix('.partial')
    partial.write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
    partial.replace(path)


def judge(marks: list[TypedMark], temperature: float) -> Sureness:
    """How sure the model is at this temperature, and whether rightly."""
    return sureness([m.scores for m in marks], [m.truth for m in marks], temperature)


def figures(found: Sureness) -> dict[str, Any]:
    """All figures of a split."""
    return {
        'count': len(found.right),
        'calibration_error': calibration_error(found),
        'accuracy': accuracy_at(found, 1.0),
        'accuracy_at_80': accuracy_at(found, COVERAGE),
        'threshold_at_80': confidence_at(found, COVERAGE),
        'answered': {str(least): answered(found, least) for least in LEAST},
        'bins': [[b.count, b.confidence, b.accuracy] for b in reliability(found)],
    }


def decoded_tokens(marks: list[TypedMark]) -> dict[str, float]:
    """How many tokens a question takes on average, with its choices, by kind."""
    kinds = sorted({mark.kind for mark in marks})
    return {kind: mean(m.decoded_tokens for m in marks if m.kind == kind) for kind in kinds}


def table(
    rows: dict[str, dict[str, Any]], temperature: float, uncalibrated: dict[str, float]
) -> str:
    """The figures for people."""
    lines = [
        f'temperature {temperature:g}',
        'split       questions   error  (at 1)  accuracy  at 80%  threshold',
    ]
    lines += [
        f'{split:10} {row["count"]:10} {row["calibration_error"]:7.4f} {uncalibrated[split]:7.4f}'
        f'{row["accuracy"]:10.4f} {row["accuracy_at_80"]:7.4f} {row["threshold_at_80"]:10.6f}'
        for split, row in rows.items()
    ]
    lines.append('min_probability: share answered, accuracy of these')
    for split, row in rows.items():
        pairs = [
            f'{at}: {share:.3f}, {right:.4f}' for at, (share, right) in row['answered'].items()
        ]
        lines.append(f'{split:11} {"   ".join(pairs)}')
    return '\n'.join(lines)


def draw(found: dict[str, Sureness], folder: Path) -> None:
    """Reliability diagram and risk-coverage curve."""
    from mobilevlm_ros.training.reliability import draw_reliability, draw_risk

    folder.mkdir(parents=True, exist_ok=True)
    draw_reliability(found, folder / 'reliability.png')
    draw_risk(found, folder / 'risk-coverage.png')
