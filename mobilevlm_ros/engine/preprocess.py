"""Pixels to the vision encoder's input, as MobileVLM's own code does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.resampling import (
    Axis,
    Block,
    Scratch,
    axis_blocks,
    make_scratch,
    resize_columns,
)
from mobilevlm_ros.engine.types import Floats, Pixels

KEPT_SHAPES = 4  # of cameras that are looked at in turn


def preprocess(pixels: Pixels, vision: VisionSpec, out: Floats | None = None) -> Floats:
    """Preprocess a single image; see `Preprocessor`, which serves a stream of them."""
    return Preprocessor(vision)(pixels, out)


class Preprocessor:
    """Makes squares of images, as the model asks for, resizes and normalises them.

    Either the image is padded to a square with the mean colour, or its shortest side is resized
    and the middle kept, as CLIP's image processor does.

    Whatever depends on an image's shape is kept for the next one of that shape. Calls must come
    from one thread at a time.
    """

    def __init__(self, vision: VisionSpec) -> None:
        """For images of any shape.

        Args:
            vision: image size, mean, standard deviation, and how a square is made.
        """
        self._axis = padded_axis if vision.resize == 'pad' else cropped_axis
        self._size = vision.image_size
        self._colour = padding_colour(vision.mean)
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (vision.mean, vision.std))
        self._factor, self._offset = np.float32(1) / (255 * std), mean / std
        self._resized = np.empty((self._size, self._size, 3), np.uint8)
        self._resizers: dict[tuple[int, int, bool], _Resizer] = {}

    def __call__(self, pixels: Pixels, out: Floats | None = None) -> Floats:
        """Preprocess an image.

        Args:
            pixels: uint8 RGB (height, width, 3). Views are not copied, BGR turned by [..., ::-1]
                included, unless they leave out columns.
            out: float32 (3, size, size) to write to, so that a stream of frames allocates nothing.

        Returns:
            float32 (3, size, size), RGB: `out` if it was given. Each value lies within one grey
            level of what Pillow makes of the image, and nearly all are equal.
        """
        turned = pixels.strides[2] < 0
        stored = _stored(pixels[..., ::-1] if turned else pixels)
        height, width = stored.shape[:2]
        self._resizer(height, width, turned).resize(stored, self._resized)
        resized = self._resized[..., ::-1] if turned else self._resized
        out = np.empty((3, self._size, self._size), np.float32) if out is None else out
        np.multiply(resized.transpose(2, 0, 1), self._factor, out=out)
        np.subtract(out, self._offset, out=out)
        return out

    def _resizer(self, height: int, width: int, turned: bool) -> _Resizer:
        key = height, width, turned
        if key not in self._resizers:
            if len(self._resizers) == KEPT_SHAPES:
                del self._resizers[next(iter(self._resizers))]
            colour = self._colour[::-1] if turned else self._colour
            shape, size = (height, width), self._size
            rows, columns = self._axis(height, shape, size), self._axis(width, shape, size)
            self._resizers[key] = _make_resizer(rows, columns, size, colour)
        return self._resizers[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Resizer:
    """Both passes for images of one shape."""

    columns: tuple[Block, ...]
    rows: tuple[Block, ...]
    column_scratch: Scratch
    row_scratch: Scratch
    narrow: Pixels  # (size, height, 3): between the passes, transposed

    def resize(self, image: Pixels, out: Pixels) -> None:
        resize_columns(image, self.columns, self.column_scratch, self.narrow)
        resize_columns(self.narrow, self.rows, self.row_scratch, out)


def _make_resizer(
    vertical: Axis, horizontal: Axis, size: int, colour: NDArray[np.uint8]
) -> _Resizer:
    columns, rows = axis_blocks(horizontal), axis_blocks(vertical)
    height = vertical.length
    return _Resizer(
        columns,
        rows,
        make_scratch(columns, height, colour),
        make_scratch(rows, size, colour),
        np.empty((size, height, 3), np.uint8),
    )


def padded_axis(length: int, shape: tuple[int, int], size: int) -> Axis:
    """A side of an image in the middle of a square."""
    return Axis(length, max(shape), size)


def cropped_axis(length: int, shape: tuple[int, int], size: int) -> Axis:
    """A side of an image whose shortest side is resized, and of which the middle is kept."""
    resized = int(size * length / min(shape))
    return Axis(length, length, resized, (resized - size) // 2, size)


def padding_colour(mean: tuple[float, float, float]) -> NDArray[np.uint8]:
    """The mean colour, cut to whole grey levels."""
    return np.array([int(value * 255) for value in mean], np.uint8)


def _stored(pixels: Pixels) -> Pixels:
    """The image itself if each row's pixels stand side by side, else a copy."""
    beside = pixels.strides[1:] == (3, 1) and pixels.strides[0] > 0
    return pixels if beside else np.ascontiguousarray(pixels)
