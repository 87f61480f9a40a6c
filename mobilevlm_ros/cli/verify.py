"""`mobilevlm verify`: prove a bundle against the checkpoint that it was made from."""

from __future__ import annotations

import argparse

from mobilevlm_ros.arguments import any_path, folder, new_file, whole, words
from mobilevlm_ros.cli.figures import write_figures
from mobilevlm_ros.convert.contents import find_folder
from mobilevlm_ros.convert.verify_report import format_rows, to_json
from mobilevlm_ros.engine.bundle import load_bundle
from mobilevlm_ros.engine.images import image_paths

HELP = """\
Compare every stage of a bundle with the checkpoint that it was made from, on real images:
  preprocessing  the engine's pixels with the official code's, in grey levels
  vision         visual tokens of each ONNX file with PyTorch in float32
  tokenizer      llama.cpp's tokens with the sentencepiece library's, on nasty texts
  tensors        of a quantised file with the checkpoint's
  file           llama.cpp's logits with transformers' over that file's own tensors
  logits         llama.cpp's with transformers' in float32, over prompts with an image
  greedy         the likeliest tokens of an answer, where the reference's choice is not noise

Exit code 1 if a stage is past its limit. The logits of quantised files are reported: what a
model loses depends on its weights. Files of F16 and F32 have neither 'tensors' nor 'file'.
docs/accuracy.md tells what each figure is.

examples:
  mobilevlm verify bundles/v2-1.7b --against ~/MobileVLM_V2-1.7B --images ~/photos
  mobilevlm verify my-nano --against training-nano/checkpoint --images photos --json proof.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add = parser.add_argument
    add('bundle', type=any_path, help='the bundle to prove')
    add(
        '--against', type=words, required=True, metavar='SOURCE',
        help='folder or hub name of the checkpoint',
    )  # fmt: skip
    add('--vision-tower', type=words, metavar='CLIP', help='as it was given to convert')
    add('--images', type=folder, required=True, metavar='FOLDER', help='photographs')
    add(
        '--tokens', type=whole(1, 1 << 16), default=64, metavar='N',
        help='most of each answer (default: %(default)s)',
    )  # fmt: skip
    add('--json', type=new_file, metavar='FILE', help='also write the figures here')


def run(args: argparse.Namespace) -> int:
    """Compare, print the table, write the figures."""
    bundle = load_bundle(args.bundle)
    image_paths(args.images)
    for where in filter(None, (args.against, args.vision_tower)):
        find_folder(where)
    from mobilevlm_ros.convert.source import open_source
    from mobilevlm_ros.convert.verify import verify_bundle

    source = open_source(args.against, args.vision_tower)
    rows = list(verify_bundle(bundle, source, args.images, args.tokens))
    print(format_rows(rows))
    if args.json:
        figures = {'bundle': bundle.name, 'against': source.name, 'stages': to_json(rows)}
        write_figures(args.json, figures)
    return 0 if all(row.passed for row in rows) else 1
