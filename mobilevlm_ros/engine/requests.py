"""Questions that wait for an answer."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from mobilevlm_ros.engine.timing import Arrival
from mobilevlm_ros.engine.types import Answer, Question


@dataclass(slots=True, eq=False)
class Request:
    """A question, and the future that its answer or error goes to, whichever comes first."""

    question: Question
    camera: str
    needs: int = 0  # number of the frame that must be held first
    waits: bool = False  # whether that frame was not yet held when the question came
    arrival: Arrival = field(default_factory=Arrival)
    future: Future[Answer] = field(default_factory=Future)

    def succeed(self, answer: Answer) -> None:
        """Deliver the answer, unless something was delivered already."""
        with suppress(InvalidStateError):
            self.future.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Deliver the error, unless something was delivered already."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)
