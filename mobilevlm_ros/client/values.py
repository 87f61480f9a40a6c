"""What a client gets back, and what it raises."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mobilevlm_ros import msg

_CODES = {
    value: name
    for name, value in vars(msg.Status).items()
    if name.isupper() and isinstance(value, int)
}


class VlmClientError(Exception):
    """Base of all that a client raises."""


class BadValueError(VlmClientError, ValueError, TypeError):
    """An argument that cannot be sent; the message names it and says what is expected."""


class NoReplyError(VlmClientError):
    """vlm_node is not there, or did not reply in time."""


class ClosedError(NoReplyError, RuntimeError):
    """The client was closed, or ROS was shut down."""


class RefusedError(VlmClientError):
    """vlm_node replied that it cannot answer.

    Attributes:
        code: name of a constant of msg/Status: STALE, BUSY, INVALID and so on.
        answer: what there was of the answer when it ended; None: nothing.
    """

    def __init__(self, code: str, message: str, answer: Answer | None = None) -> None:
        super().__init__(code, message, answer)  # all of them, so that it can be pickled
        self.code = code
        self.answer = answer

    def __str__(self) -> str:
        return f'{self.code}: {self.args[1]}'


def now_s() -> float:
    """Seconds on a clock that cannot be set and that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the image that it is about."""

    text: str
    stamp_ns: int  # of the image, nanoseconds
    frame_id: str
    camera: str
    finish_reason: str  # stop, length, choice, deadline or cancelled
    probabilities: Mapping[str, float] = field(default_factory=dict)  # by choice; empty: free text
    choice: str | None = None  # None: free text, or abstained
    abstained: bool = False
    image_age_ms: float = 0.0  # when its use began
    final_age_ms: float = 0.0  # when the answer was complete
    first_token_ms: float = 0.0  # from the request's arrival
    total_ms: float = 0.0
    message: Any = field(default=None, repr=False, compare=False)  # the mobilevlm_ros.msg.Answer
    ended_s: float = field(default_factory=now_s, repr=False, compare=False)  # at the earliest

    @property
    def age_s(self) -> float:
        """How old the image is now at most, in seconds; it grows while the answer is kept.

        The time that question and answer were on their way counts, as if only the answer had been.
        """
        return self.final_age_ms * 1e-3 + now_s() - self.ended_s

    @property
    def probability(self) -> float:
        """Of the likeliest choice; not a number for free text."""
        return max(self.probabilities.values(), default=float('nan'))


@dataclass(frozen=True, slots=True)
class Check:
    """A yes or a no; false in conditions unless it is a yes."""

    yes: bool | None  # None: abstained
    probability: float  # of yes, in [0, 1]
    answer: Answer

    def __bool__(self) -> bool:
        return bool(self.yes)


def answer_of(message: msg.Answer, sent_s: float) -> Answer:
    """The value of a message that answers what was sent then, on the clock of `now_s`."""
    stamp = message.header.stamp
    taken = 0 <= message.choice < len(message.choices)
    return Answer(
        text=message.text,
        stamp_ns=stamp.sec * 1_000_000_000 + stamp.nanosec,
        frame_id=message.header.frame_id,
        camera=message.camera,
        finish_reason=message.finish_reason,
        probabilities=dict(zip(message.choices, message.probabilities, strict=False)),
        choice=message.choices[message.choice] if taken else None,
        abstained=message.abstained,
        image_age_ms=message.timing.image_age_ms,
        final_age_ms=message.timing.final_age_ms,
        first_token_ms=message.timing.first_token_ms,
        total_ms=message.timing.total_ms,
        message=message,
        ended_s=min(now_s(), sent_s + message.timing.total_ms * 1e-3),
    )


def outcome_of(status: msg.Status, message: msg.Answer, sent_s: float) -> Answer | RefusedError:
    """What a reply says: the answer if its status is OK, else the error to raise.

    Args:
        status: of the reply.
        message: its answer.
        sent_s: when the request was sent, on the clock of `now_s`.
    """
    answer = answer_of(message, sent_s)
    if status.code == msg.Status.OK:
        return answer
    code = _CODES.get(status.code, f'status {status.code}')
    return RefusedError(code, status.message, answer if answer.finish_reason else None)


def check_of(answer: Answer) -> Check:
    """The verdict of an answer to a question with the choices yes and no."""
    yes = None if answer.abstained else answer.choice == 'yes'
    return Check(yes, answer.probabilities.get('yes', float('nan')), answer)
