"""`mobilevlm VERB ...`: finds the verb's module, runs it, and reports errors in one line."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Protocol

from mobilevlm_ros.engine import MobileVlmError

VERBS = {
    'ask': 'ask questions about image files',
    'bench': 'measure how fast and how large a model is on this machine',
    'build-engine': 'compile the vision part with TensorRT, on the machine that will run it',
    'calibrate': 'measure and mend the probabilities of typed answers',
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
# What mends a missing module: the package's extra that brings it.
EXTRAS = {
    'llama_cpp': 'llama',
    'onnxruntime': 'onnx',
    **dict.fromkeys(('google', 'huggingface_hub'), 'convert'),
    **dict.fromkeys(
        ('torch', 'gguf', 'onnx', 'onnxscript', 'sentencepiece', 'safetensors', 'matplotlib',
         'tqdm', 'transformers'),
        'train',
    ),
}

PACKAGES = {'google': 'protobuf', 'llama_cpp': 'llama-cpp-python'}  # whose names differ


class Verb(Protocol):
    """What a verb's module offers."""

    HELP: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Adds the verb's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Does it; returns the exit code."""


class Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of descriptions and examples."""


def overview() -> argparse.ArgumentParser:
    """Returns the parser of the command without its verbs' arguments."""
    lines = '\n'.join(f'  {name:14}{text}' for name, text in VERBS.items())
    parser = argparse.ArgumentParser(
        prog='mobilevlm',
        description=f'Vision-language models for robots.\n\nverbs:\n{lines}',
        epilog=EPILOG,
        formatter_class=Help,
    )
    parser.add_argument('verb', choices=VERBS, metavar='VERB', help='what to do')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help="the verb's own")
    return parser


def run_verb(name: str, arguments: Sequence[str]) -> int:
    """Imports the verb's module, parses its arguments and runs it."""
    verb: Verb = importlib.import_module(f'mobilevlm_ros.cli.{name.replace("-", "_")}')
    parser = argparse.ArgumentParser(
        prog=f'mobilevlm {name}', description=verb.HELP, formatter_class=Help
    )
    verb.configure(parser)
    return verb.run(parser.parse_args(arguments))


def explain_missing(error: ModuleNotFoundError) -> str:
    """Says which extra brings the module that is missing."""
    module = (error.name or '').partition('.')[0]
    extra = EXTRAS.get(module)
    if extra is None:
        raise error
    package = PACKAGES.get(module, module)
    return f"needs {module}: pip install 'mobilevlm_ros[{extra}]', or pip install {package}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 2 is the exit code for everything that the user can mend."""
    args = overview().parse_args(argv)
    try:
        return run_verb(args.verb, args.arguments)
    except MobileVlmError as error:
        message = ' '.join(str(error).split())
    except ModuleNotFoundError as error:
        message = explain_missing(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    print(f'mobilevlm {args.verb}: {message}', file=sys.stderr)
    return 2


if __name__ == '__main__':
    raise SystemExit(main())
