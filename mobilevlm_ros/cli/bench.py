"""`mobilevlm bench`: how fast and how large a model is on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mobilevlm_ros.arguments import any_path, file, new_file, whole
from mobilevlm_ros.cli.figures import write_figures
from mobilevlm_ros.engine import EngineConfig

if TYPE_CHECKING:
    from mobilevlm_ros.bench.run import Plan

HELP = """\
Measure a model on this machine, beside a bare loop over llama.cpp (the floor) and, with --peer,
beside llama.cpp's own multimodal path through llama-cpp-python.

Everything is warmed up, repeated and interleaved; medians come with their 10th and 90th
percentile. Nothing else should run meanwhile. docs/benchmarks.md tells what each row is.

--peer takes the peer's projector file; give several, and the fastest is taken. `make bench` in
the source tree makes them of random weights of MobileVLM-1.7B's sizes.
--budget ends with exit code 1 if a limit of the file is missed: config/bench_budget.yaml is one.
--memory tells what the model will take, and what it takes, instead.

examples:
  mobilevlm bench models/nano --quick
  mobilevlm bench bundles/v2-1.7b --budget robot.yaml --json figures.json
  mobilevlm bench bundles/v2-1.7b --memory
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add = parser.add_argument
    add('bundle', type=any_path, help='folder of the model, with a bundle.json')
    add('--memory', action='store_true', help='memory alone: plan and measurement')
    add('--quick', action='store_true', help='two repetitions instead of seven')
    add('--json', type=new_file, metavar='FILE', help='also write all figures here')
    add('--picture', type=new_file, metavar='PNG', help='also draw the ratios')
    add('--budget', type=file, metavar='FILE', help='YAML limits that must be met')
    add('--peer', type=file, action='append', default=[], metavar='MMPROJ', help='GGUF file')
    add('--captions', type=file, metavar='FILE', help='what benchmarks/caption_trace.py wrote')
    add(
        '--precision', choices=('int8', 'fp16', 'fp32'), default='int8',
        help='of the vision part (default: %(default)s)',
    )  # fmt: skip
    add(
        '--threads', type=whole(0, 256), default=0, metavar='N',
        help='CPU threads (default: one per core)',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 1 if a limit was missed."""
    return _memory(args) if args.memory else _speed(args)


def _memory(args: argparse.Namespace) -> int:
    from mobilevlm_ros.bench.memory import format_memory, measure_memory

    config = EngineConfig(
        precision=args.precision, encoder_threads=args.threads, llm_threads=args.threads
    )
    print(format_memory(measure_memory(args.bundle, config)))
    return 0


def _speed(args: argparse.Namespace) -> int:
    from mobilevlm_ros.bench.limits import format_verdicts, judge, read_limits
    from mobilevlm_ros.bench.report import format_report, to_json
    from mobilevlm_ros.bench.run import run as measure

    limits = read_limits(args.budget) if args.budget else {}
    report = measure(_plan(args))
    print(format_report(report))
    if args.json:
        write_figures(args.json, to_json(report))
    if args.picture:
        from mobilevlm_ros.bench.picture import draw

        draw(report, args.picture)
    verdicts = judge(limits, report)
    if verdicts:
        print('\n' + format_verdicts(verdicts))
    return 0 if all(verdict.met for verdict in verdicts) else 1


def _plan(args: argparse.Namespace) -> Plan:
    from mobilevlm_ros.bench.run import Plan, quick

    plan = Plan(
        args.bundle, tuple(args.peer), args.captions, threads=args.threads,
        precision=args.precision,
    )  # fmt: skip
    return quick(plan) if args.quick else plan
