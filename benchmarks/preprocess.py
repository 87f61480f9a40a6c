"""Times preprocessing against the plain way: pad to a square, then resize with Pillow.

    python benchmarks/preprocess.py [--size 336]

CPU time on one thread, the least of some interleaved runs; and the largest difference, in grey
levels, over noise, which is the hardest image to agree on. The last rows are views as nodes get
them: BGR, and a region of a larger image.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ['OPENBLAS_NUM_THREADS'] = '1'  # read when NumPy is imported

import cv2
import numpy as np
from PIL import Image

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.preprocess import Preprocessor, padding_colour
from mobilevlm_ros.engine.types import Floats, Pixels

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SHAPES = [(480, 640), (720, 1280), (1080, 1920), (2160, 3840), (1920, 1080), (1080, 1080),
          (16, 16), (1, 1), (20, 4000)]  # fmt: skip
RUNS = 15


def plainly(pixels: Pixels, size: int) -> Floats:
    """What MobileVLM's process_images does, in NumPy and Pillow."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    square = np.empty((side, side, 3), np.uint8)
    square.reshape(side, -1)[:] = np.tile(padding_colour(MEAN), side)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    resized = Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC)
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (MEAN, STD))
    found: Floats = np.asarray(resized).transpose(2, 0, 1) * (1 / (255 * std)) - mean / std
    return found


def least_times(*ways: Callable[[], object]) -> list[float]:
    """Milliseconds of CPU time of each way."""
    least = [float('inf')] * len(ways)
    for _ in range(RUNS):
        for index, way in enumerate(ways):
            begin = time.process_time()
            way()
            least[index] = min(least[index], 1e3 * (time.process_time() - begin))
    return least


def main() -> None:
    """Print a row for each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--size', type=int, default=336)
    size = parser.parse_args().size
    cv2.setNumThreads(1)
    ours = Preprocessor(VisionSpec(size, MEAN, STD, 144, 2048))
    out = np.empty((3, size, size), np.float32)
    noise = {s: np.random.default_rng(0).integers(0, 256, (*s, 3), np.uint8) for s in SHAPES}
    images = {f'{width} x {height}': noise[height, width] for height, width in SHAPES}
    images['1920 x 1080, BGR'] = noise[1080, 1920][..., ::-1]
    images['1920 x 1080 of 3840 x 2160'] = noise[2160, 3840][500:1580, 900:2820]
    print('image                        ours ms  plain ms  ratio  grey levels')
    for name, pixels in images.items():
        level = np.abs(ours(pixels, out) - plainly(pixels, size)).max() * 255 * min(STD)
        mine, plain = least_times(lambda p=pixels: ours(p, out), lambda p=pixels: plainly(p, size))
        print(f'{name:27} {mine:8.2f} {plain:9.2f} {plain / mine:6.2f} {level:9.2f}')


if __name__ == '__main__':
    main()
