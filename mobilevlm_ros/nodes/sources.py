"""Where camera_node takes its frames from: a folder of images, one of them, or a video file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine import (
    ConfigError,
    ImageError,
    image_paths,
    is_image_path,
    read_image,
    user_path,
)

Pixels = NDArray[np.uint8]


class Source(Protocol):
    """A finite series of frames that can be played again."""

    rate: float  # frames per second

    def frames(self) -> Iterator[Pixels | ImageError]:
        """RGB uint8 [h, w, 3] from the first frame on; an error stands for a broken frame."""


def open_source(path: str) -> Source:
    """The frames of a folder, an image file or a video file.

    Raises:
        ConfigError: if there is nothing there that can be played.
    """
    place = user_path(path)
    if not path or not place.exists():
        raise ConfigError(f'path {path!r} does not exist; give a folder of images or a video file')
    if place.is_dir():
        return ImageSource(image_paths(place))
    return ImageSource([place]) if is_image_path(place) else VideoSource(place)


class ImageSource:
    """Image files, one after the other."""

    rate = 1.0

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def frames(self) -> Iterator[Pixels | ImageError]:
        """Decode one file after the other."""
        for path in self._paths:
            try:
                yield read_image(path)
            except ImageError as error:
                yield error


class VideoSource:
    """A video file, as far as OpenCV can read it."""

    def __init__(self, path: Path) -> None:
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # what it writes to stderr, we raise
        self._path = path
        self.rate = self._open().get(cv2.CAP_PROP_FPS) or 30.0

    def frames(self) -> Iterator[Pixels | ImageError]:
        """Decode one frame after the other."""
        video = self._open()
        while True:
            found, bgr = video.read()
            if not found:
                return
            yield np.ascontiguousarray(bgr[..., ::-1], np.uint8)

    def _open(self) -> cv2.VideoCapture:
        video = cv2.VideoCapture(str(self._path))
        if not (video.isOpened() and video.grab()):
            raise ConfigError(f'{self._path} is not a video that OpenCV can read')
        video.set(cv2.CAP_PROP_POS_FRAMES, 0)
        return video
