"""Conversations of several turns about a frame."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mobilevlm_ros.engine.bundle import PromptSpec
from mobilevlm_ros.engine.frames import HeldFrame, HeldFrames
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.prompt import turn_tokens
from mobilevlm_ros.engine.sequences import SequencePool

NONE = -1


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: tuple[int, ...]  # tokens, without the one that ends it


@dataclass(slots=True, eq=False)
class Session:
    """A conversation. Its sequence spares decoding again what was said, and may be given up."""

    turns: list[Turn] = field(default_factory=list)
    held: HeldFrame | None = None  # what it was last about, unless that made way
    camera: str = ''  # whose frame that was
    brought: bool = False  # it was no camera's: it came along with a question
    sequence: int = NONE
    busy: bool = False  # a turn is in progress
    used_at: float = 0.0


class Sessions:
    """A bounded number of conversations; the one unused longest makes way."""

    def __init__(
        self,
        llm: LanguageModel,
        pool: SequencePool,
        frames: HeldFrames,
        prompt: PromptSpec,
        most: int,
        idle_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._llm = llm
        self._pool = pool
        self._frames = frames
        self._prompt = prompt
        self._most = most
        self._idle_s = idle_s
        self._now = now
        self._sessions: dict[str, Session] = {}  # the last one used at the end

    @property
    def count(self) -> int:
        """Conversations remembered."""
        return len(self._sessions)

    @property
    def cells(self) -> int:
        """Cells of what was said in all of them."""
        return sum(self._own_tokens(session) for session in self._sessions.values())

    def find(self, name: str) -> Session:
        """The conversation of this name, a new one if there is none."""
        session = self._sessions.pop(name, None)
        if session is None:
            self._make_way()
            session = Session()
        session.used_at = self._now()
        self._sessions[name] = session
        return session

    def known(self, name: str) -> Session | None:
        """The conversation of this name, if there is one."""
        return self._sessions.get(name)

    def forget_idle(self) -> None:
        """Forget what was unused too long, and let the frames go that it was about."""
        before = self._now() - self._idle_s
        for name, session in list(self._sessions.items()):
            if session.used_at < before and not session.busy:
                self._forget(name)

    def give_up_sequence(self) -> bool:
        """Give up what was decoded of the conversation unused longest; false if nothing is left.

        The turns stay. When no sequences are left the frames go.
        """
        idle = [session for session in self._sessions.values() if not session.busy]
        for session in idle:
            if session.sequence != NONE:
                self._give_back(session)
                return True
        for session in idle:
            if session.held is not None:
                self._release(session)
                return True
        return False

    def history(self, session: Session) -> list[int]:
        """The tokens of all turns, as they follow the image."""
        tokens: list[int] = []
        for number, turn in enumerate(session.turns):
            tokens += turn_tokens(self._prompt, turn.question, number == 0, self._llm.tokenise)
            tokens += turn.answer
            tokens += [self._llm.end] if self._llm.end >= 0 else []
        return tokens

    def question(self, session: Session, question: str) -> list[int]:
        """The tokens of the next question."""
        return turn_tokens(self._prompt, question, not session.turns, self._llm.tokenise)

    def trim(self, session: Session, question: str, wanted: int, room: int) -> None:
        """Forget the oldest turns until history, question and `wanted` more tokens have room."""
        trimmed = False
        while session.turns and self._size(session, question) + wanted > room:
            del session.turns[0]
            trimmed = True
        if trimmed:
            self._give_back(session)

    def open(self, session: Session, held: HeldFrame, question: str) -> list[int]:
        """Begin a turn about a frame; returns the tokens that its sequence still lacks.

        The session's sequence is made again if it is about another frame or was given up.
        """
        if session.held is not held:
            self._frames.use(held)
            self._release(session)
            session.held, session.brought = held, held.brought
            session.camera = held.frame.camera
        if session.sequence == NONE:
            session.sequence = self._pool.take(held.sequence)
        session.busy = True
        known = self._own_tokens(session)
        return [*self.history(session)[known:], *self.question(session, question)]

    def close(self, session: Session) -> None:
        """End a turn, whatever came of it."""
        session.busy = False
        session.used_at = self._now()

    def _size(self, session: Session, question: str) -> int:
        return len(self.history(session)) + len(self.question(session, question))

    def _own_tokens(self, session: Session) -> int:
        """Tokens in a session's sequence behind head and image."""
        if session.sequence == NONE or session.held is None:
            return 0
        return self._llm.length(session.sequence) - self._llm.length(session.held.sequence)

    def _make_way(self) -> None:
        idle = [name for name, session in self._sessions.items() if not session.busy]
        while idle and len(self._sessions) >= self._most:
            self._forget(idle.pop(0))

    def _forget(self, name: str) -> None:
        self._release(self._sessions.pop(name))

    def _release(self, session: Session) -> None:
        self._give_back(session)
        if session.held is not None:
            self._frames.release(session.held)
            session.held = None

    def _give_back(self, session: Session) -> None:
        if session.sequence != NONE:
            self._pool.give_back(session.sequence)
            session.sequence = NONE
