"""Makes cv_bridge.npz: seeded images of every encoding that cv_bridge converts to rgb8.

It runs cv_bridge itself, its C++ library, through the small program beside this file. On a machine
with ROS 2 and its cv_bridge:

    g++ -std=c++17 tests/nodes/cv_bridge.cpp -o convert  # and the flags of cv_bridge and OpenCV
    python tests/nodes/make_cv_bridge.py ./convert

The shipped file was made with cv_bridge of ros-perception/vision_opencv, commit 8b42d66, and
OpenCV 4.6.0.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

PIXEL_BYTES = {
    'rgb8': 3, 'rgba8': 4, 'rgb16': 6, 'rgba16': 8, 'bgr8': 3, 'bgra8': 4, 'bgr16': 6, 'bgra16': 8,
    'mono8': 1, 'mono16': 2, 'yuv422': 2, 'yuv422_yuy2': 2,
    **{f'bayer_{pattern}8': 1 for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
    **{f'bayer_{pattern}16': 2 for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
}  # fmt: skip
EVEN, ODD, ROW = (6, 8), (5, 7), (1, 6)
PADDING = 4  # bytes of each row


def sizes(encoding: str) -> list[tuple[int, int]]:
    """Height and width of images that the encoding can have."""
    if encoding.startswith('bayer'):
        return [EVEN, ODD]
    return [EVEN, ROW] if encoding.startswith('yuv') else [EVEN, ODD, ROW]


def main(program: str) -> None:
    random = np.random.default_rng(1)
    arrays = {}
    for encoding, pixel_bytes in PIXEL_BYTES.items():
        for height, width in sizes(encoding):
            step = width * pixel_bytes + PADDING
            data = random.integers(0, 256, height * step, np.uint8)
            header = f'{encoding} {height} {width} {step} {data.size}\n'.encode()
            done = subprocess.run([program], input=header + data.tobytes(), stdout=-1, check=True)
            name = f'{encoding} {height} {width} {step}'
            arrays[name] = data
            arrays[f'{name} rgb'] = np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)
    np.savez_compressed(Path(__file__).with_name('cv_bridge.npz'), **arrays)


if __name__ == '__main__':
    main(sys.argv[1])
