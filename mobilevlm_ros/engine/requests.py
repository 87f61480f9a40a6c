"""Questions on their way to an answer."""

from __future__ import annotations

import itertools
import logging
import math
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from mobilevlm_ros.engine.answering import Asked
from mobilevlm_ros.engine.errors import BackendError, MobileVlmError
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.generation import Patience
from mobilevlm_ros.engine.types import INTERACTIVE, Answer, Frame, Question

_logger = logging.getLogger(__name__)
_numbers = itertools.count()


class Reply(Future[Answer]):
    """What will have the answer, or a MobileVlmError."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = False  # the answer; from then on there is something to be had of it
        self.stopped = False
        self._cancelling = threading.RLock()

    def cancel(self) -> bool:
        """End the question: at once if it waits, else at the next token.

        An answer that has begun ends with what it has, and `cancelled` as its finish_reason.

        Returns:
            false if it had ended already.
        """
        self.stopped = True
        with self._cancelling:
            if not self.begun and not self.done() and super().cancel():
                self.set_running_or_notify_cancel()  # else wait() would not see it
        return self.cancelled() or not self.done()


@dataclass(slots=True, eq=False)
class Group:
    """Questions that are answered about the same frame."""

    waiting: int = 0  # of them
    held: HeldFrame | None = None  # once the first has begun


@dataclass(slots=True, eq=False)
class Request:
    """A question, and the future that its answer or error goes to, whichever comes first."""

    asked: Asked
    camera: str = ''
    group: Group = field(default_factory=Group)
    image: Frame | None = None  # to be looked at for this question alone
    stamp_ns: int = 0  # of the frame that it is about; 0: the newest
    deadline: float = math.inf  # on time.perf_counter
    named: bool = True  # the asker named the camera
    needs: int = 0  # number of the frame that must be held first
    waits: bool = False  # whether that frame was not yet held when the question came
    held: HeldFrame | None = None  # its own image
    reply: Reply = field(default_factory=Reply)
    number: int = field(default_factory=_numbers.__next__)

    @property
    def question(self) -> Question:
        """What is asked."""
        return self.asked.question

    @property
    def rank(self) -> tuple[int, int]:
        """The order in which questions begin: by priority, then as they came."""
        return self.question.priority or INTERACTIVE, self.number

    def interruption(self) -> MobileVlmError | None:
        """What to raise if the asker waits no more."""
        return Patience(self.deadline, lambda: self.reply.stopped).interruption()

    def succeed(self, answer: Answer) -> None:
        """Deliver the answer, unless something was delivered already."""
        with suppress(InvalidStateError):
            self.reply.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Deliver the error, unless something was delivered already."""
        with suppress(InvalidStateError):
            self.reply.set_exception(as_engine_error(error))


def as_engine_error(error: Exception) -> MobileVlmError:
    """The error itself if it is one of ours, else one of ours that says what failed."""
    if isinstance(error, MobileVlmError):
        return error
    _logger.error('a model failed', exc_info=error)
    return BackendError(f'a model failed: {error!r}; the log says more')
