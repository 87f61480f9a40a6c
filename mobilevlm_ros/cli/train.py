"""`mobilevlm train`: train a small model in the simulated world and make a bundle of it."""

from __future__ import annotations

import argparse
import os

from mobilevlm_ros.arguments import absent_folder, new_folder, whole
from mobilevlm_ros.convert.options import Options

HELP = """\
Train nano from scratch: render scenes of the simulated room, train the vision tower on what
covers each patch, then the language model on questions, then both together; write a bundle.

It takes some hours on two cores. Stop it whenever you like: run again with the same --work, it
goes on from its last checkpoint. Loss curves are drawn into the work folder.

example:
  mobilevlm train nano --work training-nano --out my-nano
"""
# A small model on a CPU: four bits would cost more answers than they save bytes.
OPTIONS = Options(('int8', 'fp32'), 'Q8_0')


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument('model', choices=['nano'], help='what to train')
    add = parser.add_argument
    add('--work', type=new_folder, default='training-nano', metavar='FOLDER', help='checkpoints')
    add('--out', type=absent_folder, required=True, metavar='FOLDER', help='the bundle to write')
    add(
        '--workers', type=whole(1, 1024), default=os.cpu_count(), metavar='N',
        help='processes that render scenes (one per core)',
    )  # fmt: skip
    add(
        '--seed', type=whole(0), default=0, metavar='N', help="of the model's first weights (0)"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or go on training, then convert."""
    from mobilevlm_ros.convert.bundle import write_bundle
    from mobilevlm_ros.convert.source import open_source
    from mobilevlm_ros.training.curves import draw_curves
    from mobilevlm_ros.training.recipe import Recipe, Trainer

    trainer = Trainer(Recipe(seed=args.seed), args.work, args.workers)
    checkpoint = trainer.run()
    curves = draw_curves(args.work)
    write_bundle(open_source(checkpoint), args.out, OPTIONS, extras=(curves,))
    print(f'{args.out}: measure it with `mobilevlm eval {args.out}`')
    return 0
