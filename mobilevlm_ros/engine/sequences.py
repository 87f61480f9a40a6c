"""Sequences of the KV cache, lent and taken back.

Sequence 0 is the prompt head, decoded once. Every other one begins as a copy of another: a held
frame's of the head, a question's of its frame. Copies share their cells, so that nothing is
decoded or stored twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import BusyError
from mobilevlm_ros.engine.llm import LanguageModel

HEAD = 0
SCRATCH = 32  # lent while choices are scored, at most; fewer only make that take more steps


def sequences_needed(config: EngineConfig) -> int:
    """The head, held frames, one being looked at, sessions, questions, and some for choices."""
    return 2 + config.held_frames + config.sessions + config.active_questions + SCRATCH


class SequencePool:
    """Lends the sequences of a language model."""

    def __init__(self, llm: LanguageModel, head: Sequence[int]) -> None:
        """Decode the prompt head into its own sequence."""
        self._llm = llm
        self._free = list(range(HEAD + 1, llm.sequences))
        self._scratch: set[int] = set()
        llm.decode(HEAD, head)

    @property
    def head_tokens(self) -> int:
        """Tokens of the prompt head."""
        return self._llm.length(HEAD)

    @property
    def free(self) -> int:
        """How many may be taken now."""
        return len(self._free)

    @property
    def spare(self) -> int:
        """How many may be taken as scratch now, which leaves frames and questions theirs."""
        return max(0, min(self.free, SCRATCH - len(self._scratch)))

    def take(self, source: int) -> int:
        """An empty sequence, made to begin as another one is now; it must be given back."""
        if not self._free:
            raise BusyError('too many answers are being generated at once; finish or close one')
        sequence = self._free.pop()
        self._llm.copy(source, sequence)
        return sequence

    def take_scratch(self, source: int) -> int:
        """The same, counted as scratch."""
        sequence = self.take(source)
        self._scratch.add(sequence)
        return sequence

    def give_back(self, sequence: int) -> None:
        """Empty a sequence that was taken, for others to take."""
        self._llm.remove(sequence)
        self._scratch.discard(sequence)
        self._free.append(sequence)
