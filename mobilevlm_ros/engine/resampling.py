"""Pillow's bicubic resize of a padded or cropped image, without padding it, in two passes.

Pillow resizes columns first, rounds to 8 bits, then resizes rows. Each output pixel is a weighted
sum of a few neighbours, so a few outputs together are one small product of banded matrices:
https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.types import Floats, Pixels

Doubles = NDArray[np.float64]

OUTPUTS = 12  # of one product: more would multiply more zeros, fewer would keep the CPU less busy
ROWS = 1080  # of one product: what it reads and writes should stay in the cache
REACH = 2  # of bicubic interpolation, in pixels of the coarser image
UNIT = 2.0**-22  # what Pillow's weights are whole multiples of
TIE = np.full(4, 1e-5)  # grey levels: Pillow rounds halves up, OpenCV to even numbers


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of an image in the middle of a longer, padded side that is resized."""

    length: int  # of the image
    side: int  # with the padding
    size: int  # to resize to
    first: int = 0  # output that is kept
    kept: int = 0  # outputs; 0: all


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Neighbouring outputs, and the product that makes them."""

    outputs: slice
    inputs: slice  # of the image without its padding; may be empty
    weights: Floats  # (outputs, 1 + inputs): of the padding's colour, and of each input


@dataclass(frozen=True, slots=True, eq=False)
class Scratch:
    """What every product of one size of image writes to."""

    pixels: Pixels  # flat
    inputs: Floats  # (1 + inputs, columns); the first row is the padding's colour
    outputs: Floats  # (outputs, columns)


def axis_blocks(axis: Axis) -> tuple[Block, ...]:
    """The products that resize one direction."""
    end = axis.first + (axis.kept or axis.size)
    return tuple(
        _block(axis, first, min(first + OUTPUTS, end))
        for first in range(axis.first, end, OUTPUTS)
    )


def make_scratch(blocks: Sequence[Block], rows: int, colour: NDArray[np.uint8]) -> Scratch:
    """Room for the largest product, with the colour of the padding (3,) in its place."""
    strip = min(rows, ROWS)
    most = max(block.weights.shape[1] for block in blocks)
    inputs = np.empty((most, 3 * strip), np.float32)
    inputs[0] = np.tile(colour, strip)
    return Scratch(
        pixels=np.empty(most * 3 * strip, np.uint8),
        inputs=inputs,
        outputs=np.empty((OUTPUTS, 3 * strip), np.float32),
    )


def resize_columns(image: Pixels, blocks: Sequence[Block], scratch: Scratch, out: Pixels) -> None:
    """Resize the columns of uint8 (rows, columns, 3) to `out`, transposed: (size, rows, 3)."""
    for top in range(0, len(image), ROWS):
        strip = image[top : top + ROWS]
        for block in blocks:
            _multiply(strip[:, block.inputs], block, scratch, out[:, top : top + ROWS])


def _multiply(image: Pixels, block: Block, scratch: Scratch, out: Pixels) -> None:
    rows, columns = image.shape[:2]
    inputs = scratch.inputs[: columns + 1, : 3 * rows]
    if columns:
        turned = scratch.pixels[: image.size].reshape(columns, rows, 3)
        cv2.transpose(image, dst=turned)
        np.copyto(inputs[1:], turned.reshape(columns, 3 * rows))
    sums = scratch.outputs[: len(block.weights), : 3 * rows]
    np.matmul(block.weights, inputs, out=sums)
    target = out[block.outputs]
    cv2.add(sums.reshape(target.shape), TIE, dst=target, dtype=cv2.CV_8U)


def _block(axis: Axis, first: int, last: int) -> Block:
    low, weights = _weights(axis, first, last)
    left = (axis.side - axis.length) // 2
    begin, end = np.clip((low, low + weights.shape[1]), left, left + axis.length)
    inside = weights[:, begin - low : end - low]
    padding = weights.sum(1, keepdims=True) - inside.sum(1, keepdims=True)
    return Block(
        outputs=slice(first - axis.first, last - axis.first),
        inputs=slice(int(begin - left), int(end - left)),
        weights=np.hstack([padding, inside]).astype(np.float32),
    )


def _weights(axis: Axis, first: int, last: int) -> tuple[int, Doubles]:
    """The first input that some outputs need, and the weights (outputs, inputs) from there on."""
    scale = axis.side / axis.size
    stretch = max(scale, 1.0)
    centres = (np.arange(first, last) + 0.5)[:, None] * scale
    low = np.maximum((centres - REACH * stretch + 0.5).astype(int), 0)
    high = np.minimum((centres + REACH * stretch + 0.5).astype(int), axis.side)
    inputs = np.arange(low[0, 0], high[-1, 0])
    weights = bicubic((inputs - centres + 0.5) * (1 / stretch))
    weights *= (inputs >= low) & (inputs < high)
    units = weights * (1 / weights.sum(1, keepdims=True)) / UNIT
    return int(low[0, 0]), np.trunc(units + np.copysign(0.5, units)) * UNIT


def bicubic(distance: Doubles) -> Doubles:
    """Keys' cubic convolution with a = -0.5 (https://doi.org/10.1109/TASSP.1981.1163711)."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < REACH, far, 0.0))
