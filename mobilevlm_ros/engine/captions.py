"""The captions of one camera: when to say one, and the last one as the draft of the next."""

from __future__ import annotations

from collections.abc import Sequence

from mobilevlm_ros.engine.change import ChangeGate, GateSettings
from mobilevlm_ros.engine.draft import Draft, DraftLength, DraftPlan


class Captioner:
    """What is kept of a camera's captions between two of them. Captions are greedy."""

    def __init__(self, settings: GateSettings, plan: DraftPlan) -> None:
        self.gate = ChangeGate(settings)
        self._length = DraftLength(plan)
        self._last: Sequence[int] = ()

    def draft(self) -> Draft:
        """Guesses for the next caption, for a DraftedText."""
        return Draft(self._last, self._length)

    def keep(self, said: Sequence[int]) -> None:
        """Take the tokens of a caption, its end token left out, as the draft of the next."""
        self._last = said
