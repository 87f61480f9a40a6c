"""The soak's questions: asked at a steady rate of each camera in turn, every reply judged."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import cycle

from mobilevlm_ros.client import Answer, RefusedError, VlmClient, VlmClientError
from mobilevlm_ros.msg import Query
from mobilevlm_ros.trials.soak.cameras import COLOURS, Shown

QUESTION = 'What colour is the box?'
DEADLINE_S = 10.0
MOST_LAG = 1  # frames: one may be on its way when the question is sent


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that has ended."""

    camera: str  # that it was about
    sent_ns: int  # on time.monotonic_ns
    ended_ns: int
    status: str  # OK, the code of a refusal, or `no reply`
    text: str = ''
    answered: str = ''  # camera that the answer names
    stamp_ns: int = 0

    @property
    def milliseconds(self) -> float:
        """From the question to its end."""
        return (self.ended_ns - self.sent_ns) * 1e-6


class Asker:
    """Call `advance` often, from one thread."""

    def __init__(self, vlm: VlmClient, rate_hz: float) -> None:
        self.ended: list[Asked] = []
        self._sent = 0
        self._vlm = vlm
        self._period_s = 1 / rate_hz
        self._cameras = cycle(COLOURS)
        self._due = time.monotonic()

    @property
    def waiting(self) -> int:
        """Questions that have not ended yet."""
        return self._sent - len(self.ended)

    def advance(self) -> None:
        """Ask the next question if it is time."""
        if time.monotonic() >= self._due:
            self._due = max(self._due + self._period_s, time.monotonic() - self._period_s)
            self.ask(next(self._cameras))

    def ask(self, camera: str) -> None:
        """Ask about the newest frame of a camera, without waiting."""
        self._sent += 1
        sent_ns = time.monotonic_ns()
        # The age of frames is judged here, by what the cameras have shown since.
        future = self._vlm.submit(
            QUESTION, DEADLINE_S, camera=camera, frame=Query.NEWEST, max_age=math.inf
        )
        future.add_done_callback(partial(self._note, camera, sent_ns))

    def _note(self, camera: str, sent_ns: int, future: Future[Answer]) -> None:
        self.ended.append(ended(camera, sent_ns, future))


def ended(camera: str, sent_ns: int, future: Future[Answer]) -> Asked:
    """What became of a question whose future is done."""
    now_ns = time.monotonic_ns()
    answer: Answer | None
    try:
        answer = future.result()
        status = 'OK'
    except RefusedError as error:
        answer, status = error.answer, error.code
    except VlmClientError:
        answer, status = None, 'no reply'
    if answer is None:
        return Asked(camera, sent_ns, now_ns, status)
    return Asked(camera, sent_ns, now_ns, status, answer.text, answer.camera, answer.stamp_ns)


def lag(asked: Asked, shown: Sequence[Shown]) -> int | None:
    """How many newer frames of the camera were out when the question was sent.

    A frame is out once publishing it has ended, so that one that is just being published does not
    count. One that is out may still be on its way to vlm_node: hence MOST_LAG.

    Returns:
        None if the camera never showed the frame that was answered about.
    """
    place = bisect_right(shown, asked.stamp_ns, key=lambda one: one.stamp_ns) - 1
    if place < 0 or shown[place].stamp_ns != asked.stamp_ns:
        return None
    out = bisect_right(shown, asked.sent_ns, key=lambda one: one.at_ns)
    return max(0, out - 1 - place)


def fault(asked: Asked, shown: Sequence[Shown]) -> str:
    """What is wrong with the reply; empty: nothing."""
    if asked.status != 'OK':
        return asked.status
    if asked.answered != asked.camera:
        return f'asked about {asked.camera}, answered about {asked.answered}'
    if asked.text != COLOURS[asked.camera]:
        return f'{asked.camera} shows {COLOURS[asked.camera]}, the answer was {asked.text!r}'
    frames = lag(asked, shown)
    if frames is None:
        return f'{asked.camera} never showed the frame answered about'
    return f'{frames} frames behind' if frames > MOST_LAG else ''


def uneven(asked: Sequence[Asked], heard: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """How many answers vlm_node published too few and too many on ~/answer.

    Args:
        asked: what clients got.
        heard: camera and stamp of everything that came on ~/answer.
    """
    expected = Counter((one.answered, one.stamp_ns) for one in asked if one.text)
    found = Counter(one for one in heard if one in expected)
    return (expected - found).total(), (found - expected).total()
