"""What is shown and asked: the same to every side, and never the same twice in a row."""

from __future__ import annotations

import cv2
import numpy as np

from mobilevlm_ros.engine import Pixels

SHAPE = (480, 640)  # height and width of a usual robot camera
COUNT = 8
GRID = (12, 16)  # patches of colour
NOISE = 2  # grey levels of sensor noise in a view that does not change

QUESTIONS = (
    'What is in front of the robot now?',
    'What stands next to the wall there?',
    'What colour is the nearest object?',
    'What lies on the floor ahead of us?',
    'How many people are in the picture?',
    'What is the person on the left doing?',
    'What kind of room is this one here?',
    'Where in the view is the open door?',
)
TYPED = (
    'Is the path ahead of the robot clear?',
    'Is there a person in the picture?',
    'Is the door on the right side open?',
    'Is anything lying on the floor here?',
)
CHOICES = ('yes', 'no')


def make_frame(number: int) -> Pixels:
    """A seeded picture, uint8 (480, 640, 3)."""
    small = np.random.default_rng(number % COUNT).integers(0, 256, (*GRID, 3), np.uint8)
    large = cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def make_still(number: int) -> Pixels:
    """The same picture every time, with noise that differs."""
    noise = np.random.default_rng(number).normal(0, NOISE, (*SHAPE, 3))
    still: Pixels = np.clip(make_frame(0) + noise, 0, 255).astype(np.uint8)
    return still


def question(number: int) -> str:
    """One question after the other."""
    return QUESTIONS[number % len(QUESTIONS)]
