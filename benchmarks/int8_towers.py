"""Measures int8 on many small towers with outliers, beside how well conditioned each of them is.

    python benchmarks/int8_towers.py --projector ldp --layers 3 4 --seeds 0 1 2

The column "float32, noise" has float32 against itself with noise of 0.3% on the pixels: what
falls there too is the tower's and not int8's. Each column has the worst cosine of a visual token.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from int8_outliers import SMALL, photo_like, run
from outliers import outlier_tower

from mobilevlm_ros.convert.quantise_vision import Int8Options, quantise_vision
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.convert.vision_onnx import export_vision

NOISE = 0.003
WAYS = {
    'plain': Int8Options(channels=False, tokens=False, small_projector=0, fitted=False),
    'not centred': Int8Options(centre=False),
    'chosen': Int8Options(),
    'projector int8': Int8Options(small_projector=0),
    'nearest': Int8Options(fitted=False),
}


def main() -> None:
    """A row for each tower."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--projector', choices=['ldp', 'ldpv2'], default='ldp')
    parser.add_argument('--layers', type=int, nargs='+', default=[3, 4])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--gains-everywhere', action='store_true', help='in the projector too')
    parser.add_argument('--harsh', action='store_true', help='scaled without massive activations')
    parser.add_argument('--work', type=Path, help='keep files there, for the same options')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    print('| blocks | seed | float32, noise | ' + ' | '.join(WAYS) + ' |', flush=True)
    with TemporaryDirectory() as temporary:
        folder = args.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for layers in args.layers:
            for seed in args.seeds:
                cosines = ' | '.join(f'{c:.4f}' for c in measure(args, layers, seed, folder))
                print(f'| {layers} | {seed} | {cosines} |', flush=True)


def measure(args: argparse.Namespace, layers: int, seed: int, folder: Path) -> list[float]:
    """Worst cosine of float32 with noise, and of each way to quantise."""
    whole = folder / f'{args.projector}-{layers}-{seed}.onnx'
    if not whole.exists():
        geometry = replace(SMALL, projector=args.projector, vision_layers=layers)
        export_vision(outlier_tower(geometry, seed, args.gains_everywhere, args.harsh), whole)
    images = np.stack([*photo_like(SMALL.image_size, 4)])
    noise = np.random.default_rng(seed).normal(0, NOISE, images.shape).astype(np.float32)
    expected = run(whole, images)
    found = [run(whole, images + noise)]
    for way, options in WAYS.items():
        path = whole.with_name(f'{whole.stem}-{way.replace(" ", "-")}.onnx')
        if not path.exists():
            quantise_vision(whole, path, options)
        found.append(run(path, images))
    return [float(token_cosines(f, expected).min()) for f in found]


if __name__ == '__main__':
    main()
