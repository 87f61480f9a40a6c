"""The captions of one camera: when to say one, and the last one as the draft of the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mobilevlm_ros.engine.change import ChangeGate, GateSettings, Reason
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.draft import Draft, DraftLength, DraftPlan
from mobilevlm_ros.engine.types import Answer, Floats


@dataclass(frozen=True, slots=True)
class Caption:
    """What is said of a view unasked."""

    answer: Answer
    reason: Reason
    change: float  # from the view of the last caption: 0 the same, 2 opposite


OnCaption = Callable[[Caption], None]


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """A view that is to be spoken of."""

    visual: Floats
    at: float  # when it was seen, on time.perf_counter
    reason: Reason
    change: float


class Captioner:
    """What is kept of a camera's captions between two of them. Captions are greedy."""

    def __init__(self, settings: GateSettings, plan: DraftPlan) -> None:
        self.gate = ChangeGate(settings)
        self.due: Due | None = None
        self.telling = False  # a caption is in progress
        self.repeat = False  # the last one is to be said again
        self.encoded_s = 0.0  # when the image arrived that the last one is of
        self._heartbeat_s = settings.heartbeat_s
        self._said: Answer | None = None  # last
        self._said_at = 0.0
        self._length = DraftLength(plan)
        self._last: Sequence[int] = ()

    def see(self, visual: Floats, at: float) -> None:
        """Judge a view; `due` says whether to speak of it."""
        change = self.gate.change(visual)
        reason = self.gate.reason(change, at)
        if reason is not None:
            self.due = Due(visual, at, reason, change)

    def tell(self, due: Due, encoded_s: float) -> None:
        """Note that a view is spoken of; its visual tokens may be overwritten afterwards."""
        self.gate.tell(due.visual.copy(), due.at)
        self.due, self.telling, self.encoded_s = None, True, encoded_s

    def stay(self, at: float) -> bool:
        """Note that the view was seen to be the same; whether there is a caption to say.

        The last one is due again after a while: to say it again costs nothing.
        """
        old = self._said is not None and at - self._said_at >= self._heartbeat_s
        self.repeat = bool(self._heartbeat_s) and old and not self.telling and self.due is None
        return self.repeat or self.due is not None

    def say(self, answer: Answer, at: float) -> None:
        """Note what was said."""
        self._said, self._said_at, self.repeat = answer, at, False

    @property
    def said(self) -> Answer | None:
        """The last caption."""
        return self._said

    def draft(self) -> Draft:
        """Guesses for the next caption, for a DraftedText."""
        return Draft(self._last, self._length)

    def keep(self, said: Sequence[int]) -> None:
        """Take the tokens of a caption, its end token left out, as the draft of the next."""
        self._last = said


def gate_settings(config: EngineConfig) -> GateSettings:
    """What counts as a change."""
    return GateSettings(
        config.look_change, config.caption_change, config.caption_heartbeat_s,
        config.caption_period_s,
    )  # fmt: skip
