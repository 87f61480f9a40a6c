"""`mobilevlm VERB ...`: finds the verb's module, runs it, and reports errors in one line."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Protocol

from mobilevlm_ros.arguments import Parser
from mobilevlm_ros.programs import run

VERBS = {
    'ask': 'ask questions about image files',
    'bench': 'measure how fast and how large a model is on this machine',
    'build-engine': 'compile the vision part with TensorRT, on the machine that will run it',
    'calibrate': 'measure and correct the probabilities of typed answers',
    'convert': 'make a bundle of a MobileVLM checkpoint',
    'doctor': 'report versions, backends, devices and settings, to attach to a question',
    'eval': 'measure how often a model answers right in the simulated world',
    'sim-patrol': 'let robots patrol simulated rooms by the model, by the truth, and blind',
    'train': 'train a small model in the simulated world',
    'verify': 'prove a bundle against the checkpoint that it was made from',
}
EPILOG = """\
examples:
  mobilevlm ask models/nano photo.jpg "What is ahead?"
  mobilevlm doctor models/nano > report.txt

`mobilevlm VERB --help` tells what a verb takes. Models are bundles: folders with a bundle.json.
"""

class Verb(Protocol):
    """What a verb's module offers."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Does it; returns the exit code."""


def overview() -> argparse.ArgumentParser:
    """Returns the parser of the command without its verbs' arguments."""
    lines = '\n'.join(f'  {name:14}{text}' for name, text in VERBS.items())
    parser = Parser(
        prog='mobilevlm',
        description=f'Vision-language models for robots.\n\nverbs:\n{lines}',
        epilog=EPILOG,
    )
    parser.add_argument('verb', choices=VERBS, metavar='VERB', help='what to do')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help="the verb's own")
    return parser


def run_verb(name: str, arguments: Sequence[str]) -> int:
    """Imports the verb's module, parses its arguments and runs it."""
    verb: Verb = importlib.import_module(f'mobilevlm_ros.cli.{name.replace("-", "_")}')
    parser = Parser(prog=f'mobilevlm {name}', description=verb.HELP)
    verb.configure(parser)
    return verb.run(parser.parse_args(arguments))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; see `programs.run` for the exit codes."""
    args = overview().parse_args(argv)
    return run(f'mobilevlm {args.verb}', lambda: run_verb(args.verb, args.arguments))


if __name__ == '__main__':
    raise SystemExit(main())
