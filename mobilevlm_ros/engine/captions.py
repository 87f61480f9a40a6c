"""The captions of one camera: when to say one, and saying it with the last one as the draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilevlm_ros.engine.change import ChangeGate, GateSettings
from mobilevlm_ros.engine.draft import Draft, DraftLength, DraftPlan, accept, extend
from mobilevlm_ros.engine.generation import Limits
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import greedy
from mobilevlm_ros.engine.steps import Part, Task
from mobilevlm_ros.engine.text import TextStream


@dataclass(frozen=True, slots=True)
class Said:
    """A caption, and the steps that it took."""

    text: str
    tokens: tuple[int, ...]  # the end token left out
    finish_reason: str  # stop, length, deadline or cancelled
    steps: tuple[tuple[int, int], ...]  # tokens proposed and accepted in each, after the first


class Captioner:
    """What a camera's captions have in common. Captions are always greedy."""

    def __init__(self, settings: GateSettings, plan: DraftPlan) -> None:
        self.gate = ChangeGate(settings)
        self._length = DraftLength(plan)
        self._last: Sequence[int] = ()

    def say(
        self, llm: LanguageModel, sequence: int, question: Sequence[int], limits: Limits
    ) -> Task[Said]:
        """Answer the caption question behind a frame.

        Args:
            llm: the model.
            sequence: head and visual tokens.
            question: the question part of the prompt.
            limits: what may end the caption.
        """
        (rows,) = yield [Part(sequence, question)]
        tokens = accept(rows, (), greedy)
        draft = Draft(self._last, self._length)
        draft.begin(tokens[0])
        speech = _Speech(llm, sequence, limits)
        while not speech.take(tokens):
            most = limits.max_tokens - len(speech.tokens)
            tokens = yield from extend(llm, sequence, tokens[-1], draft, greedy, most)
        self._last = speech.tokens
        return speech.said(draft)


class _Speech:
    """Text in the making."""

    def __init__(self, llm: LanguageModel, sequence: int, limits: Limits) -> None:
        self._llm = llm
        self._sequence = sequence
        self._limits = limits
        self._stream = TextStream(limits.stop)
        self._text = ''
        self._reason = ''
        self.tokens: list[int] = []

    def take(self, tokens: Sequence[int]) -> bool:
        """Add tokens up to what ends the text; returns whether something does."""
        for token in tokens:
            if not self._reason:
                self._add(token)
        if self._llm.length(self._sequence) >= self._llm.context_length:
            self._reason = self._reason or 'length'
        self._reason = self._reason or self._limits.interruption()
        return bool(self._reason)

    def said(self, draft: Draft) -> Said:
        """What was said, once it has ended."""
        text = self._text + self._stream.finish()
        return Said(text, tuple(self.tokens), self._reason, tuple(draft.steps))

    def _add(self, token: int) -> None:
        if self._llm.is_end(token):
            self._reason = 'stop'
            return
        self.tokens.append(token)
        self._text += self._stream.add(self._llm.piece(token))
        if self._stream.stopped:
            self._reason = 'stop'
        elif len(self.tokens) >= self._limits.max_tokens:
            self._reason = 'length'
