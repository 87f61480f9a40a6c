"""`mobilevlm build-engine`: the vision part compiled by TensorRT, on the robot's own GPU."""

from __future__ import annotations

import argparse
from pathlib import Path

from mobilevlm_ros.arguments import any_path, folder, whole
from mobilevlm_ros.engine import Pixels, load_bundle, read_image
from mobilevlm_ros.engine.engine_builder import LEAST_COSINE, Request, build_engine
from mobilevlm_ros.engine.images import image_paths
from mobilevlm_ros.engine.plans import PlanOptions
from mobilevlm_ros.sim.exam import EXAM_STREAM
from mobilevlm_ros.sim.scenes import sample_scene

HELP = f"""\
Compile a bundle's vision encoder with TensorRT, on the machine that will run it.

The plan is kept in the bundle, or in ~/.cache/mobilevlm_ros where the bundle cannot be written
to, and is built again when TensorRT, the GPU, the model or an option changes. Nodes take it by
themselves. It is compared with ONNX Runtime on images first, and thrown away if any visual
token's cosine is below {LEAST_COSINE}. Needs the bundle's fp16 file; needs no torch.

examples:
  mobilevlm build-engine ~/models/mobilevlm-1.7b
  mobilevlm build-engine ~/models/mobilevlm-1.7b --images ~/photos --workspace 512
"""
MOST_IMAGES = 32
RENDERED = 8


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what this verb takes."""
    defaults = PlanOptions()
    parser.add_argument('bundle', type=any_path, help='folder of the model, with a bundle.json')
    parser.add_argument(
        '--images', type=folder, metavar='FOLDER',
        help=f'compare on the first {MOST_IMAGES} images in it, best from your own camera '
        f'(default: {RENDERED} rendered scenes)',
    )  # fmt: skip
    parser.add_argument(
        '--tiles', type=whole(1, 64), default=defaults.tiles, metavar='N',
        help='images encoded at a time (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--workspace', type=whole(16, 1 << 16), default=defaults.workspace_mib, metavar='MIB',
        help='memory that TensorRT may use for one layer (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument('--rebuild', action='store_true', help='build even if a plan fits')
    parser.add_argument(
        '--no-preflight', action='store_true', help='build even if memory seems too short'
    )


def run(args: argparse.Namespace) -> int:
    """Build, unless a plan that fits is there."""
    options = PlanOptions(args.tiles, args.workspace)
    request = Request(options, rebuild=args.rebuild, preflight=not args.no_preflight)
    bundle = load_bundle(args.bundle)
    images = read_images(args.images) if args.images else rendered_images()
    build_engine(bundle, request, images, lambda text: print(text, flush=True))
    return 0


def read_images(folder: Path) -> list[Pixels]:
    """The first images of a folder in the order of their names.

    Raises:
        ConfigError: if there are none.
        ImageError: if one cannot be read.
    """
    return [read_image(path) for path in image_paths(folder)[:MOST_IMAGES]]


def rendered_images() -> list[Pixels]:
    """Scenes of the simulated world: less than photographs, but always there."""
    return [sample_scene(EXAM_STREAM, index).view().image for index in range(RENDERED)]
