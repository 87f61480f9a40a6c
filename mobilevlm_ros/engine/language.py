"""The language side of an engine: its model's cache, and all that runs on it.

Every call comes from the one thread that owns the language model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobilevlm_ros.engine import prompt
from mobilevlm_ros.engine.answering import Answerer, Asked
from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import BundleError, ConfigError, NoImageError
from mobilevlm_ros.engine.frames import HeldFrame, HeldFrames
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.scheduler import Job, Outcome, Scheduler
from mobilevlm_ros.engine.sequences import SequencePool
from mobilevlm_ros.engine.sessions import Sessions
from mobilevlm_ros.engine.types import CAPTION, INTERACTIVE, Floats, Frame, Header, Load

LOOK = 0  # priority of what holds frames


class Language:
    """Holds frames and answers questions, as far as sequences and cells allow at a time."""

    def __init__(
        self,
        bundle: Bundle,
        llm: LanguageModel,
        config: EngineConfig,
        age_s: Callable[[Header], float],
        backend: str,
    ) -> None:
        """Decode the prompt head, once for all."""
        _check_width(bundle, llm)
        head = prompt.head_tokens(bundle.prompt, llm.tokenise, llm.bos)
        _check_room(bundle, llm, len(head))
        self.llm = llm
        self.pool = SequencePool(llm, head)
        self.frames = HeldFrames(self.pool, config.held_frames)
        self.sessions = Sessions(
            llm, self.pool, self.frames, bundle.prompt, config.sessions, config.session_idle_s
        )
        self.scheduler = Scheduler(llm, config.batch_tokens)
        self._active_questions = config.active_questions
        self._answerer = Answerer(
            bundle, config, llm, self.pool, self.frames, self.sessions, age_s, backend
        )
        self.unanswered = self._answerer.unanswered

    @property
    def questions(self) -> Sequence[Job]:
        """Questions and captions that are being answered."""
        return [job for job in self.scheduler.jobs if job.priority != LOOK]

    def hold(
        self, frame: Frame, visual: Floats, outcome: Outcome, own: bool = False
    ) -> Job | None:
        """Begin to hold a frame; its outcome is a HeldFrame. None: there is no room now.

        If nothing else is to be done, its camera's last frame goes first, so that the new one
        gets its cells: sums are then rounded exactly as in a fresh cache.
        """
        self.sessions.forget_idle()
        if not self.scheduler.jobs and not own:
            self.frames.retire(frame.camera)
        if not self.pool.free or not self._make_room(len(visual), frames=True):
            return None
        return self._begin(Job(self.frames.hold(frame, visual, own), outcome, LOOK))

    def find_brought(self, session: str) -> HeldFrame | None:
        """The image that a conversation is about, if that came along with a question.

        Raises:
            NoImageError: if it came, but was given up to make room.
        """
        known = self.sessions.known(session)
        if known is None or not known.brought:
            return None
        if known.held is None:
            raise NoImageError(
                f'the image that session {session!r} is about made way for others; send it again, '
                'or name a camera'
            )
        return known.held

    def camera_of(self, session: str) -> str:
        """The camera that a conversation is about; empty: none that is known."""
        known = self.sessions.known(session)
        return known.camera if known and not known.brought else ''

    def answer(self, asked: Asked, held: HeldFrame, outcome: Outcome) -> Job | None:
        """Begin to answer; the outcome is an Answer. None: there is no room now.

        Raises:
            QuestionError: if the question can never be answered.
        """
        self.sessions.forget_idle()
        question = asked.question
        priority = question.priority or INTERACTIVE
        if not self._may_begin(priority) or self.is_busy(question.session):
            return None
        cells = self._answerer.cells(question, held)
        self.frames.use(held)  # so that no room is made of it
        try:
            if not self._make_room(cells):
                return None
            task = self._answerer.answer(asked, held)
            return self._begin(Job(task, outcome, priority, cells))
        finally:
            self.frames.release(held)

    def is_busy(self, session: str) -> bool:
        """Whether a turn of this conversation is in progress; another one has to wait."""
        known = self.sessions.known(session) if session else None
        return known is not None and known.busy

    def load(self, waiting: int = 0) -> Load:
        """How busy it is."""
        return Load(
            waiting=waiting,
            active=len(self.questions),
            held_frames=self.frames.count,
            sessions=self.sessions.count,
            cells=self.llm.cells,
            cells_used=self._cells_used(),
            free_sequences=self.pool.free,
        )

    def close(self) -> None:
        """End all that is in progress, without an outcome, and free the model."""
        self.scheduler.close()
        self.llm.close()

    def _begin(self, job: Job) -> Job:
        self.scheduler.add(job)
        return job

    def _may_begin(self, priority: int) -> bool:
        """Whether one more question may be answered beside the others. Captions come last."""
        urgent = sum(job.priority < CAPTION for job in self.questions)
        if priority >= CAPTION and urgent:
            return False
        # One sequence is left for a frame; captions in progress have theirs already.
        return urgent < self._active_questions and self.pool.free > 1

    def _make_room(self, cells: int, frames: bool = False) -> bool:
        """Give up what can be had again, until so many cells are free; false if it is in use."""
        while self.llm.cells - self._cells_used() < cells:
            gave_up = self.sessions.give_up_sequence() or (frames and self.frames.drop_unused())
            if not gave_up:
                return False
        return True

    def _cells_used(self) -> int:
        jobs = sum(job.cells for job in self.scheduler.jobs)
        return self.pool.head_tokens + self.frames.cells + self.sessions.cells + jobs


def _check_width(bundle: Bundle, llm: LanguageModel) -> None:
    if llm.width != bundle.vision.width:
        raise BundleError(
            f'{bundle.name}: the language model takes embeddings of width {llm.width}, the '
            f'vision encoder makes {bundle.vision.width}; these files do not belong together'
        )


def _check_room(bundle: Bundle, llm: LanguageModel, head: int) -> None:
    needed = head + bundle.vision.visual_tokens + 2  # one token at least to ask and to answer
    if llm.context_length < needed:
        raise ConfigError(
            f'context_length is {llm.context_length}; prompt head and image take {needed - 2} '
            'tokens of it: raise it, to leave room for questions and answers'
        )
