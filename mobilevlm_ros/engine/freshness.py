"""How old an image is: by its stamp, by its arrival, and by its sender where need be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from mobilevlm_ros.engine.errors import StaleImageError
from mobilevlm_ros.engine.types import Header, Question

APART_S = 1.0  # between a stamp and the clock at the image's arrival, before it counts as a fault


def steady_s() -> float:
    """Seconds on a clock that cannot be set and that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago an image was taken, in seconds; None where that is not known."""

    by_stamp_s: float | None = None  # negative: the stamp is ahead of the clock
    by_arrival_s: float | None = None
    by_sender_s: float | None = None  # since it was sent; counts where the stamp is not credible

    @property
    def seconds(self) -> float:
        """The largest, so that nothing that is wrong or missing hides what makes an image old."""
        ages = (self.by_stamp_s, self.by_arrival_s, self.by_sender_s)
        return max(0.0, *(age or 0.0 for age in ages))

    @property
    def credible(self) -> bool:
        """Whether the stamp may be true: it is there, and was not ahead at the arrival."""
        return self.by_stamp_s is not None and self.offset_s <= APART_S

    @property
    def offset_s(self) -> float:
        """How far the stamp was ahead of the clock when the image arrived; negative: behind."""
        return 0.0 if self.by_stamp_s is None else (self.by_arrival_s or 0.0) - self.by_stamp_s

    @property
    def on_the_way_s(self) -> float:
        """How long the image was on its way, by the clock of its sender; may be negative."""
        return 0.0 if self.by_sender_s is None else self.by_sender_s - (self.by_arrival_s or 0.0)

    @property
    def stamp_fault(self) -> str:
        """What is wrong with the stamp; empty: nothing."""
        if self.by_stamp_s is None:
            return f'stamps are missing (zero); {self._without_stamp}'
        offset_s = self.offset_s
        if abs(offset_s) <= APART_S:
            return ''
        side = 'ahead of' if offset_s > 0 else 'behind'
        return f'stamps are {abs(offset_s):.1f} s {side} this clock'

    @property
    def _without_stamp(self) -> str:
        if self.on_the_way_s > APART_S:
            return f'by the clock of their sender, images came after {self.on_the_way_s:.1f} s'
        return 'ages count from the sending or arrival of images'


def age_of(header: Header, now_ns: int, now_s: float) -> Age:
    """The age of an image.

    Args:
        header: of the image.
        now_ns: on the clock that stamps come from, nanoseconds.
        now_s: on the clock of `steady_s`.
    """
    return Age(
        (now_ns - header.stamp_ns) * 1e-9 if header.stamp_ns > 0 else None,
        now_s - header.arrived_s if header.arrived_s else None,
        now_s - header.sent_s if header.sent_s else None,
    )


def stale(age: Age, most_s: float) -> str:
    """Why an image of this age is refused, and what helps."""
    limit = f'max_age is {most_s:g} s'
    arrived_s = age.by_arrival_s
    if arrived_s is None or arrived_s > most_s:
        return (
            f'the image is {age.seconds:.2f} s old and {limit}; '
            'check that the camera is publishing, or allow an older image'
        )
    if age.by_sender_s is not None and age.by_sender_s > most_s:
        return (
            f'by the clock of its sender the image was sent {age.by_sender_s:.2f} s ago and '
            f'{limit}, but it arrived {arrived_s:.2f} s ago: it waited on its way, or that clock '
            f'is {age.on_the_way_s:.1f} s behind; set both clocks alike (NTP or PTP), or allow an '
            'older image'
        )
    if age.offset_s < -APART_S:
        return (
            f'the stamp of the image is {age.seconds:.2f} s old and {limit}, but the image '
            f'arrived {arrived_s:.2f} s ago: {age.stamp_fault}; set both clocks alike (NTP or '
            'PTP; use_sim_time with a bag or a simulator), or allow an older image'
        )
    return (
        f'the image is {age.seconds:.2f} s old and {limit}; it arrived {arrived_s:.2f} s ago, so '
        'that it was late: allow an older image'
    )


class Freshness:
    """Judges whether images are young enough for questions about them."""

    def __init__(
        self, clock: Callable[[], int], steady_s: Callable[[], float], most_s: float
    ) -> None:
        """Judge by these clocks.

        Args:
            clock: what stamps are compared with; nanoseconds.
            steady_s: what arrival is measured on; seconds.
            most_s: the age that questions allow that do not say; 0: any.
        """
        self.steady_s = steady_s
        self._clock = clock
        self._most_s = most_s

    def age_s(self, header: Header) -> float:
        """Seconds since an image was taken, as far as is known; 0: nothing is."""
        return self._age(header).seconds

    def is_old(self, question: Question, header: Header, look_s: float = 0.0) -> bool:
        """Whether a camera's image is older than a question allows.

        Args:
            question: which.
            header: of the image.
            look_s: seconds that looks for this question took, which do not count.
        """
        return not self.allows(question, self.age_s(header) - look_s)

    def allows(self, question: Question, age_s: float) -> bool:
        """Whether a question may be answered about a camera's image of this age."""
        return age_s <= self._limit_s(question)

    def check(self, question: Question, header: Header, look_s: float = 0.0) -> None:
        """Raise StaleImageError if a camera's image is older than a question allows.

        Args:
            question: which.
            header: of the image.
            look_s: seconds that looks for this question took, which do not count.
        """
        if self.is_old(question, header, look_s):
            raise StaleImageError(stale(self._age(header), self._limit_s(question)))

    def _age(self, header: Header) -> Age:
        return age_of(header, self._clock(), self.steady_s())

    def _limit_s(self, question: Question) -> float:
        return question.max_age_s or self._most_s or math.inf
