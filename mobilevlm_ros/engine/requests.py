"""Questions on their way to an answer."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mobilevlm_ros.engine.answering import Asked
from mobilevlm_ros.engine.errors import BackendError, InterruptionError, MobileVlmError
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.generation import Patience
from mobilevlm_ros.engine.timing import Arrival
from mobilevlm_ros.engine.types import INTERACTIVE, WHOLE, Answer, Frame, Question

_logger = logging.getLogger(__name__)
_numbers = itertools.count()


class Reply(Future[Answer]):
    """What will have the answer, or a MobileVlmError."""

    def __init__(self, unanswered: Callable[[], Answer]) -> None:
        """Nothing is there yet.

        Args:
            unanswered: makes the answer of a question that is cancelled while it waits.
        """
        super().__init__()
        self.begun = False  # the answer; from then on there is something to be had of it
        self.stopped = False
        self._unanswered = unanswered

    def cancel(self) -> bool:
        """End the question: at once if it waits, else at the next token.

        It has an answer all the same: what there is of it, and `cancelled` as its finish_reason.

        Returns:
            false if it had ended already.
        """
        if self.done():
            return False
        self.stopped = True
        if not self.begun:
            with suppress(InvalidStateError):
                self.set_result(self._unanswered())
        return True


@dataclass(slots=True, eq=False)
class Group:
    """Questions that are answered about the same frame."""

    frame: Frame | None = None  # that came with them, or that their regions are of, once known
    look_s: float = 0.0  # that encoding parts of it took
    held: HeldFrame | None = None  # once the first of them has begun, or is about a part of it
    size: int = 0  # how many they are
    waiting: int = 0  # of them
    whole: bool = False  # some are about all of the frame

    def fix(self, frame: Frame) -> None:
        """Let regions be of this frame, unless it is another one already."""
        if self.frame is None:
            self.frame = frame


# Makes the answer of a question that ended before it began, with a finish_reason, the camera that
# it is about, and the frame if it is known.
Unanswered = Callable[[Question, Arrival, str, str, 'Frame | None'], Answer]


@dataclass(slots=True, eq=False)
class Request:
    """A question, and the future that its answer or error goes to, whichever comes first."""

    asked: Asked
    unanswered: Unanswered
    camera: str = ''
    group: Group = field(default_factory=Group)
    own: bool = False  # an image is looked at for it alone: one that came with it, or a region
    stamp_ns: int = 0  # of the frame that it is about; 0: the newest
    deadline: float = math.inf  # on time.perf_counter
    newest: bool = False  # the asker wants the newest frame shown, encoded or not
    settled: bool = False  # it is known which camera it is about
    needs: int = 0  # number of the frame that must be held first
    waits: bool = False  # whether that frame was not yet held when the question came
    look_s: float = 0.0  # that the looks took that were made for it
    held: HeldFrame | None = None  # its own image
    number: int = field(default_factory=_numbers.__next__)
    reply: Reply = field(init=False)

    def __post_init__(self) -> None:
        self.reply = Reply(partial(self._ended, 'cancelled'))

    @property
    def question(self) -> Question:
        """What is asked."""
        return self.asked.question

    @property
    def takes_pixels(self) -> bool:
        """Whether the pixels of its camera's newest frame are all that it needs of that."""
        return self.question.roi != WHOLE and not self.stamp_ns and not self.group.whole

    def choose_again(self) -> None:
        """Let its region be of another frame: the one that it was of has grown old."""
        self.group, self.look_s = Group(size=1, waiting=1), 0.0

    @property
    def rank(self) -> tuple[int, int]:
        """The order in which questions begin: by priority, then as they came."""
        return self.question.priority or INTERACTIVE, self.number

    def interruption(self) -> InterruptionError | None:
        """What to raise if the asker waits no more."""
        return Patience(self.deadline, lambda: self.reply.stopped).interruption()

    def succeed(self, answer: Answer) -> None:
        """Deliver the answer, unless something was delivered already."""
        with suppress(InvalidStateError):
            self.reply.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Deliver the error, or for an interruption an answer without text, unless it ended."""
        if isinstance(error, InterruptionError):
            self.succeed(self._ended(error.finish_reason))
            return
        with suppress(InvalidStateError):
            self.reply.set_exception(as_engine_error(error))

    def _ended(self, finish_reason: str) -> Answer:
        """The answer, if it ends before it begins."""
        held = self.group.held  # which the language thread may let go meanwhile
        frame = self.group.frame or (held.latest if held else None)
        arrival = self.asked.arrival
        return self.unanswered(self.question, arrival, finish_reason, self.camera, frame)


def as_engine_error(error: Exception) -> MobileVlmError:
    """The error itself if it is one of ours, else one of ours that says what failed."""
    if isinstance(error, MobileVlmError):
        return error
    _logger.error('a model failed', exc_info=error)
    return BackendError(f'a model failed: {error!r}; the log says more')
