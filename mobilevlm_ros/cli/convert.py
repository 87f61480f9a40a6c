"""`mobilevlm convert`: a MobileVLM checkpoint to a bundle that runs on a robot."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from mobilevlm_ros.arguments import absent_folder, new_folder, whole, words
from mobilevlm_ros.convert.contents import find_folder
from mobilevlm_ros.convert.options import MODELS, TOWER_LAYERS, UNQUANTISED, VISION, Options
from mobilevlm_ros.engine.bundle import load_bundle
from mobilevlm_ros.engine.errors import ConfigError

HELP = """\
Make a bundle of a MobileVLM checkpoint: vision tower and projector to ONNX, language model to
GGUF, and a bundle.json with their checksums.

SOURCE is the checkpoint's folder (config.json, model.safetensors or pytorch_model.bin, whole or
in shards, tokenizer.model), or its name on the Hugging Face hub where there is internet:
mtgv/MobileVLM-1.7B, -3B, mtgv/MobileVLM_V2-1.7B, -3B, -7B. No code of a checkpoint is ever run.

Tensors are read, converted and written one by one. The work is done in OUT.partial, which is
renamed when whole. If it is stopped, run the same again: what is finished there is kept.

--precision is that of the vision part. int8 is the fast one on a CPU, fp16 is what TensorRT
builds from on a Jetson, fp32 is for comparisons.
--quantise is llama.cpp's type of the language model. Q4_K_M is the default; Q4_K_S is the
paper's and a little smaller; Q8_0 is twice that size and closer to the original; F16 and F32
are not quantised.

examples:
  mobilevlm convert mtgv/MobileVLM_V2-1.7B bundles/v2-1.7b
  mobilevlm convert ~/MobileVLM-3B bundles/3b --quantise Q4_K_S --precision fp16
  mobilevlm convert ~/MobileVLM-1.7B bundles/1.7b --vision-tower ~/clip-vit-large-patch14-336

Random weights of the exact sizes, to measure speed and memory without a download:
  mobilevlm convert --random mobilevlm-v2-1.7b bundles/random
  mobilevlm convert --random mobilevlm-3b bundles/tiny --layers 1 --keep-source checkpoints/tiny
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    defaults = Options()
    parser.add_argument(
        'source', nargs='?', type=words, help='folder or hub name of the checkpoint'
    )
    parser.add_argument('out', type=absent_folder, help='the bundle to write; must not exist')
    parser.add_argument(
        '--vision-tower', type=words, metavar='CLIP',
        help="folder or hub name of a CLIP to use instead of the checkpoint's own tower",
    )  # fmt: skip
    parser.add_argument(
        '--precision', action='append', choices=list(VISION),
        help=f'give it once for each (default: {" and ".join(defaults.precisions)})',
    )  # fmt: skip
    parser.add_argument(
        '--quantise', default=defaults.quantisation, metavar='TYPE', type=str.upper,
        help=f'a type of llama.cpp, or {" or ".join(UNQUANTISED)} (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--name', type=words, help="what the bundle calls itself (default: the checkpoint's)"
    )
    random = parser.add_argument_group('random weights, instead of SOURCE')
    random.add_argument(
        '--random', choices=MODELS, metavar='MODEL', help=f'one of {", ".join(MODELS)}'
    )
    random.add_argument(
        '--seed', type=whole(0), default=0, metavar='N', help='of the weights (default: 0)'
    )
    random.add_argument(
        '--layers', type=whole(1, TOWER_LAYERS), default=0, metavar='N',
        help='only so many blocks in tower and language model, for tests',
    )  # fmt: skip
    random.add_argument(
        '--keep-source', type=new_folder, metavar='DIR',
        help='write the checkpoint there, and keep it',
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and say what is there."""
    precisions = tuple(dict.fromkeys(args.precision or Options().precisions))
    options = Options(precisions, args.quantise)
    check_source(args)
    from mobilevlm_ros.convert.bundle import write_bundle
    from mobilevlm_ros.convert.source import open_source

    source = open_source(_checkpoint(args), args.vision_tower)
    source = replace(source, name=args.name or source.name)
    write_bundle(source, args.out, options)
    if args.random and not args.keep_source:
        shutil.rmtree(_checkpoint_folder(args))
    for name, spec in load_bundle(args.out, verify=False).files.items():
        print(f'{args.out / name}: {spec.bytes / 1e6:.1f} MB')
    return 0


def check_source(args: argparse.Namespace) -> None:
    """Raise if nobody could convert this, before torch is imported, which takes seconds."""
    if bool(args.random) == bool(args.source):
        raise ConfigError('give either SOURCE and OUT, or --random MODEL and OUT')
    if not args.random and (args.layers or args.seed or args.keep_source):
        raise ConfigError('--layers, --seed and --keep-source go with --random')
    for where in (args.source, args.vision_tower):
        if where is not None:
            find_folder(where)


def _checkpoint(args: argparse.Namespace) -> str | Path:
    """The source as it was given, or a random one, which is made first."""
    if not args.random:
        return str(args.source)
    from mobilevlm_ros.convert.presets import write_random_checkpoint

    folder = _checkpoint_folder(args)
    write_random_checkpoint(args.random, folder, args.seed, args.layers)
    return folder


def _checkpoint_folder(args: argparse.Namespace) -> Path:
    folder: Path = args.keep_source or args.out.with_name(args.out.name + '.checkpoint')
    return folder
