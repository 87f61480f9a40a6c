"""`mobilevlm ask`: questions about an image file, without ROS."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields

from mobilevlm_ros.arguments import any_path, real, whole, words
from mobilevlm_ros.engine import (
    Answer,
    Engine,
    EngineConfig,
    Frame,
    Question,
    Timing,
    open_engine,
    read_image,
)

HELP = """\
Ask questions about an image.

The image is encoded once and held; each question then costs only its own tokens.

examples:
  mobilevlm ask models/nano view.png "What is ahead?"
  mobilevlm ask models/nano view.png "Is the path clear?" "How many boxes are there?"
  mobilevlm ask models/nano view.png "Describe the scene." --max-tokens 100 --json | jq .answers
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what this verb takes."""
    defaults = EngineConfig()
    parser.add_argument('bundle', type=any_path, help='folder of the model, with a bundle.json')
    parser.add_argument('image', type=any_path, help='JPEG, PNG or another image file')
    parser.add_argument(
        'questions', nargs='+', type=words, metavar='question', help='one or more'
    )
    parser.add_argument(
        '--max-tokens', type=whole(1, 1 << 16), default=defaults.max_tokens, metavar='N',
        help='most tokens of an answer (default: what the model says, mostly 512)',
    )  # fmt: skip
    parser.add_argument(
        '--temperature', type=real(0.0, 2.0), default=defaults.temperature, metavar='T',
        help='0 takes the likeliest token, more varies answers (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--seed', type=whole(0), default=0, metavar='N', help='repeats the same varied answers'
    )
    for name, meaning in (('encoder', 'what runs the vision part'), ('precision', 'of that part')):
        parser.add_argument(
            f'--{name}', choices=choices(name), default=getattr(defaults, name),
            help=f'{meaning} (default: %(default)s)',
        )  # fmt: skip
    parser.add_argument(
        '--threads', type=whole(0, 256), default=0, metavar='N',
        help='CPU threads (default: as suits)',
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of text')


def choices(name: str) -> tuple[str, ...]:
    """What a setting of the engine may be, the fakes left out."""
    metadata = next(field.metadata for field in fields(EngineConfig) if field.name == name)
    return tuple(choice for choice in metadata['choices'] if choice != 'fake')


def run(args: argparse.Namespace) -> int:
    """Look at the image, answer every question, print."""
    questions = [
        Question(text, temperature=args.temperature, seed=args.seed) for text in args.questions
    ]
    frame = Frame(read_image(args.image))
    config = EngineConfig(
        encoder=args.encoder,
        precision=args.precision,
        encoder_threads=args.threads,
        llm_threads=args.threads,
        max_tokens=args.max_tokens,
    )
    with open_engine(args.bundle, config) as engine:
        look = engine.look(frame)
        if args.json:
            answers = [engine.ask(question) for question in questions]
            print(json.dumps(_as_dict(args, engine, look, answers), indent=2, ensure_ascii=False))
        else:
            print(_describe_look(engine, look))
            for question in questions:
                print(_describe(engine.ask(question)), flush=True)
    return 0


def _as_dict(
    args: argparse.Namespace, engine: Engine, look: Timing, answers: list[Answer]
) -> dict[str, object]:
    names = ('question', 'text', 'finish_reason')
    return {
        'image': str(args.image),
        'model': engine.bundle.name,
        'backend': engine.backend,
        'look': asdict(look),
        'answers': [
            {name: getattr(answer, name) for name in names} | {'timing': asdict(answer.timing)}
            for answer in answers
        ],
    }


def _describe_look(engine: Engine, look: Timing) -> str:
    return (
        f'{engine.bundle.name} ({engine.backend}) looked at the image in {look.total_ms:.1f} ms: '
        f'encode {look.encode_ms:.1f}, prefill {look.prefill_ms:.1f} of {look.visual_tokens} '
        'visual tokens'
    )


def _describe(answer: Answer) -> str:
    timing = answer.timing
    cut = ' (cut short: raise --max-tokens)' if answer.finish_reason == 'length' else ''
    return (
        f'\n? {answer.question}\n'
        f'> {answer.text or "(nothing)"}{cut}\n'
        f'  {timing.total_ms:.1f} ms: first token after {timing.first_token_ms:.1f}, '
        f'{timing.generated_tokens} tokens{_speed(timing)}; '
        f'{timing.reused_tokens} tokens of the prompt were held'
    )


def _speed(timing: Timing) -> str:
    if timing.decode_ms <= 0:
        return ''
    return f' at {(timing.generated_tokens - 1) / timing.decode_ms * 1e3:.0f} a second'
