"""Measures what int8 costs a tower with outliers as trained CLIPs have them, and each cure of it.

    python benchmarks/int8_outliers.py             # a small tower, under a minute
    python benchmarks/int8_outliers.py --full      # CLIP ViT-L/14-336's sizes, with timings

outliers.py has what is injected. Rows say which cure is used: channels (SmoothQuant's migration),
tokens (a scale for each), split (outlier channels in float32), whether seven or all eight bits of
weight are used, whether the projector stays float32, and for comparison ONNX Runtime's
weight-only MatMulNBits, with activations in float32 and in blocks of int8.

To see a CPU without VNNI, run the small one again, with the same --work so that nothing has to be
made anew, under `valgrind --tool=none --trace-children=yes`: it offers AVX2 and no more.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from outliers import outlier_tower

from mobilevlm_ros.convert.quantise_vision import (
    IMAGES,
    Int8Options,
    quantise_vision,
    synthetic_pixels,
)
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.convert.vision_onnx import export_vision
from mobilevlm_ros.model.mobilevlm import Geometry

SMALL = Geometry(
    image_size=112, patch_size=14, vision_width=192, vision_layers=4, vision_heads=3, width=256
)
FULL = Geometry(
    image_size=336, patch_size=14, vision_width=1024, vision_layers=23, vision_heads=16, width=2048
)


def plain(source: Path, target: Path, **options: Any) -> None:
    """ONNX Runtime's own dynamic quantisation and nothing else."""
    uncured = Int8Options(channels=False, tokens=False, small_projector=0, fitted=False)
    quantise_vision(source, target, replace(uncured, **options))


def weight_only(source: Path, target: Path, accuracy_level: int) -> None:
    """MatMulNBits with eight bits in blocks of 128; level 4 quantises activations by block."""
    quantiser = MatMulNBitsQuantizer(
        str(source), bits=8, block_size=128, is_symmetric=True, accuracy_level=accuracy_level
    )
    quantiser.process()
    quantiser.model.save_model_to_file(str(target))


CANDIDATES: dict[str, Callable[[Path, Path], None]] = {
    'plain, 7 bits': plain,
    'plain, 8 bits': partial(plain, seven_bits=False),
    'plain, 7 bits, projector float32': partial(plain, small_projector=1),
    'channels': partial(quantise_vision, options=Int8Options(tokens=False, split=0)),
    'tokens': partial(quantise_vision, options=Int8Options(channels=False)),
    'channels, tokens': partial(quantise_vision, options=Int8Options(split=0)),
    'channels, tokens, split (chosen)': quantise_vision,
    'chosen, nearest, 7 bits': partial(quantise_vision, options=Int8Options(fitted=False)),
    'chosen, nearest, 8 bits': partial(
        quantise_vision, options=Int8Options(fitted=False, seven_bits=False)
    ),
    'chosen, nearest, 8 bits, unsigned': partial(
        quantise_vision,
        options=Int8Options(fitted=False, seven_bits=False, weights=QuantType.QUInt8),
    ),
    'chosen, not centred': partial(quantise_vision, options=Int8Options(centre=False)),
    'chosen, projector int8': partial(quantise_vision, options=Int8Options(small_projector=0)),
    'MatMulNBits, float32 activations': partial(weight_only, accuracy_level=1),
    'MatMulNBits, int8 activations': partial(weight_only, accuracy_level=4),
}


def main() -> None:
    """Make the tower, quantise it in every way, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--full', action='store_true', help="CLIP ViT-L/14-336's sizes")
    parser.add_argument('--layers', type=int, default=0, help='only so many blocks')
    parser.add_argument('--projector', choices=['ldp', 'ldpv2'], default='ldp')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--images', type=int, default=4)
    parser.add_argument('--runs', type=int, default=5, help='of which the fastest counts')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--only', default='', help='candidates with this in their names')
    parser.add_argument('--work', type=Path, help='keep the files there, to use them again')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    with TemporaryDirectory() as folder:
        measure(args, args.work or Path(folder))


def measure(args: argparse.Namespace, folder: Path) -> None:
    """All rows of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    geometry = replace(FULL if args.full else SMALL, projector=args.projector)
    geometry = replace(geometry, vision_layers=args.layers or geometry.vision_layers)
    whole = folder / 'fp32.onnx'
    if not whole.exists():
        export_vision(outlier_tower(geometry, args.seed), whole)
    images = np.stack([*photo_like(geometry.image_size, args.images)])
    expected = run(whole, images, args.threads)
    head = ('', 'worst cosine', 'mean cosine', 'CPU ms', 'ms', 'MB')
    print('{:42}{:>14}{:>14}{:>9}{:>9}{:>8}'.format(*head))
    times = partial(least_times, pixels=images[:1], threads=args.threads, runs=args.runs)
    report('float32', whole, expected, expected, *times(whole))
    for name, quantise in CANDIDATES.items():
        path = folder / f'{name.replace(" ", "-").replace(",", "")}.onnx'
        if args.only in name:
            if not path.exists():
                quantise(whole, path)
            found = run(path, images, args.threads)
            report(name, path, expected, found, *times(path))


def photo_like(size: int, count: int) -> Iterable[np.ndarray]:
    """Other images than those that the channels are measured on."""
    return islice(synthetic_pixels(size, IMAGES + count), IMAGES, None)


def run(path: Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Visual tokens of all images."""
    session = open_session(path, threads)
    return np.stack([session.run(None, {'pixels': image[None]})[0][0] for image in images])


def least_times(path: Path, pixels: np.ndarray, threads: int, runs: int) -> tuple[float, float]:
    """Milliseconds for these pixels: of the CPU, of a clock."""
    session = open_session(path, threads)
    used, waited = [], []
    for _ in range(runs):
        before = time.process_time(), time.perf_counter()
        session.run(None, {'pixels': pixels})
        used.append(time.process_time() - before[0])
        waited.append(time.perf_counter() - before[1])
    return 1e3 * min(used, default=0), 1e3 * min(waited, default=0)


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """On the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def report(
    name: str, path: Path, expected: np.ndarray, found: np.ndarray, used: float, waited: float
) -> None:
    """One row."""
    cosines = token_cosines(found, expected)
    size = path.stat().st_size / 1e6
    print(
        f'{name:42}{cosines.min():14.5f}{cosines.mean():14.5f}{used:9.1f}{waited:9.1f}{size:8.1f}',
        flush=True,
    )


if __name__ == '__main__':
    main()
