"""Questions about held frames to tasks that answer them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from mobilevlm_ros.engine import prompt
from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.choices import check_choices
from mobilevlm_ros.engine.choose import choose
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.constraint import Constraint, create_constraint
from mobilevlm_ros.engine.errors import InterruptionError, TooLongError
from mobilevlm_ros.engine.frames import HeldFrame, HeldFrames
from mobilevlm_ros.engine.generation import Extend, Generation, Limits, OnChunk, one_token
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.sampling import Sampler, create_sampler
from mobilevlm_ros.engine.sequences import SequencePool
from mobilevlm_ros.engine.sessions import Session, Sessions, Turn
from mobilevlm_ros.engine.steps import Task
from mobilevlm_ros.engine.timing import Arrival, PromptSize, Stopwatch, ms_since
from mobilevlm_ros.engine.types import Answer, Chunk, Frame, Header, Question, Timing
from mobilevlm_ros.engine.vocabulary import Vocabulary, read_vocabulary

LONGEST_PIECE = 64  # bytes of text that one token may stand for; real vocabularies stay below


def ignore(chunk: Chunk) -> None:
    """An OnChunk that shows nothing."""


@dataclass(slots=True, eq=False)
class Asked:
    """A question, and how it is to be answered."""

    question: Question
    arrival: Arrival = field(default_factory=Arrival)
    on_chunk: OnChunk = ignore
    extend: Extend = one_token  # drafts come in here
    stamp_ns: int = 0  # of the frame that was asked for; 0: none was named


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question."""

    text: str
    finish_reason: str
    tokens: tuple[int, ...] = ()  # as a conversation goes on with them
    generated: int = 0
    probabilities: tuple[float, ...] = ()
    choice: int = -1


class Answerer:
    """Makes the tasks. They begin and end at the language model's thread."""

    def __init__(
        self,
        bundle: Bundle,
        config: EngineConfig,
        llm: LanguageModel,
        pool: SequencePool,
        frames: HeldFrames,
        sessions: Sessions,
        age_s: Callable[[Header], float],
        backend: str,
    ) -> None:
        self._bundle = bundle
        self._config = config
        self._llm = llm
        self._pool = pool
        self._frames = frames
        self._sessions = sessions
        self._age_s = age_s
        self._backend = backend

    def cells(self, question: Question, held: HeldFrame) -> int:
        """The most cells of the cache that the answer may take.

        Raises:
            QuestionError: if the question cannot be asked; TooLongError if it does not fit.
        """
        room = self._room(held)
        asked = self._check_length(question, room)
        if question.session:
            asked += len(self._sessions.history(self._sessions.find(question.session)))
        return min(room, asked + self._wanted(question))

    def answer(self, asked: Asked, held: HeldFrame) -> Task[Answer]:
        """Answer a question about a frame."""
        header = held.header(asked.stamp_ns)
        watch = Stopwatch(asked.arrival, header, self._age_s, held.frame.arrived_s)
        self._frames.use(held)
        try:
            if asked.question.session:
                return (yield from self._answer_in_session(asked, held, watch))
            sequence = self._pool.take(held.sequence)
            try:
                question = asked.question.text
                tokens = prompt.question_tokens(self._bundle.prompt, question, self._llm.tokenise)
                return (yield from self._answer(asked, held, sequence, tokens, watch))
            finally:
                self._pool.give_back(sequence)
        finally:
            self._frames.release(held)

    def _answer_in_session(
        self, asked: Asked, held: HeldFrame, watch: Stopwatch
    ) -> Task[Answer]:
        """Answer in the session's sequence, which keeps question and answer, unless it fails."""
        question = asked.question
        session = self._sessions.find(question.session)
        self._sessions.trim(session, question.text, self._wanted(question), self._room(held))
        tokens = self._sessions.open(session, held, question.text)
        length, turns = self._llm.length(session.sequence), len(session.turns)
        try:
            return (yield from self._answer(asked, held, session.sequence, tokens, watch, session))
        finally:
            if len(session.turns) == turns:
                self._llm.truncate(session.sequence, length)
            self._sessions.close(session)

    def _answer(
        self,
        asked: Asked,
        held: HeldFrame,
        sequence: int,
        tokens: Sequence[int],
        watch: Stopwatch,
        session: Session | None = None,
    ) -> Task[Answer]:
        found = self._llm.length(sequence)
        way = self._choose if asked.question.choices else self._generate
        try:
            reply = yield from way(asked, sequence, tokens, watch)
        except InterruptionError as end:  # before the first token, or while choices are scored
            reply = Reply('', end.finish_reason)
        if session is not None and reply.tokens:
            session.turns.append(Turn(asked.question.text, reply.tokens))
        size = PromptSize(found - held.visual_tokens + len(tokens), held.visual_tokens, found)
        timing = watch.timing(size, reply.generated)
        return self._describe(asked.question, held.frame.camera, watch.header, reply, timing)

    def unanswered(
        self,
        question: Question,
        arrival: Arrival,
        finish_reason: str,
        camera: str = '',
        frame: Frame | None = None,
    ) -> Answer:
        """What there is of an answer that ended before it began; from any thread.

        Args:
            question: which.
            arrival: when it came.
            finish_reason: deadline or cancelled.
            camera: that it is about; empty: not known.
            frame: that it is about; None: not known yet.
        """
        waited_ms = ms_since(arrival.at)
        timing = Timing(queue_ms=waited_ms, total_ms=waited_ms)
        if frame is not None:
            age_ms = self._age_s(frame.header) * 1e3
            timing = replace(timing, image_age_ms=age_ms, final_age_ms=age_ms)
        header = frame.header if frame else Header()
        camera = frame.camera if frame else camera
        return self._describe(question, camera, header, Reply('', finish_reason), timing)

    def _describe(
        self, question: Question, camera: str, header: Header, reply: Reply, timing: Timing
    ) -> Answer:
        return Answer(
            text=reply.text,
            question=question.text,
            finish_reason=reply.finish_reason,
            timing=timing,
            stamp_ns=header.stamp_ns,
            camera=camera,
            frame_id=header.frame_id,
            model=self._bundle.name,
            backend=self._backend,
            session=question.session,
            choices=question.choices,
            probabilities=reply.probabilities,
            choice=reply.choice,
            abstained=reply.finish_reason == 'choice' and reply.choice < 0,
        )

    def _generate(
        self, asked: Asked, sequence: int, tokens: Sequence[int], watch: Stopwatch
    ) -> Task[Reply]:
        question = asked.question
        before = self._llm.length(sequence) + len(tokens)
        room = self._llm.context_length - before + 1  # the last token is never decoded
        limits = self._limits(question, room)
        constraint = self._constraint(question, limits.max_tokens)
        sampler = self._sampler(question, constraint)
        generation = Generation(
            self._llm, sequence, sampler, limits, watch, asked.on_chunk, asked.extend, constraint
        )
        yield from generation.run(tokens)
        said = tuple(generation.said)
        if generation.cut:  # a conversation goes on with what was shown
            self._llm.truncate(sequence, min(before, self._llm.length(sequence)))
            said = tuple(self._llm.tokenise(generation.text))
        return Reply(generation.text, generation.finish_reason, said, generation.tokens)

    def _choose(
        self, asked: Asked, sequence: int, tokens: Sequence[int], watch: Stopwatch
    ) -> Task[Reply]:
        question = asked.question
        choices = [self._llm.tokenise(choice) for choice in check_choices(question.choices)]
        verdict = yield from choose(
            self._llm,
            self._pool,
            sequence,
            tokens,
            choices,
            temperature=self._bundle.temperature,
            min_probability=question.min_probability,
        )
        watch.prefilled = watch.first_at = watch.last_at = time.perf_counter()
        text = '' if verdict.abstained else question.choices[verdict.choice].strip()
        said = () if verdict.abstained else tuple(choices[verdict.choice])
        return Reply(text, 'choice', said, 0, verdict.probabilities, verdict.choice)

    def _room(self, held: HeldFrame) -> int:
        """Tokens that have room behind a frame."""
        return self._llm.context_length - self._llm.length(held.sequence)

    def _wanted(self, question: Question) -> int:
        """The most tokens of an answer, or of all its choices."""
        if question.choices:
            return sum(len(choice.encode()) + 2 for choice in question.choices)
        return self._max_tokens(question)

    def _max_tokens(self, question: Question) -> int:
        return question.max_tokens or self._config.max_tokens or self._bundle.max_tokens

    def _check_length(self, question: Question, room: int) -> int:
        """Tokens of the question, which must leave room for one of the answer at least."""
        room -= 1
        too_long = f'do not fit; there is room for {room} tokens: shorten the question'
        if len(question.text) > room * LONGEST_PIECE:  # spares the tokeniser megabytes of text
            raise TooLongError(f'{len(question.text)} characters {too_long}')
        template, tokenise = self._bundle.prompt, self._llm.tokenise
        count = len(prompt.question_tokens(template, question.text, tokenise))
        if count > room:
            raise TooLongError(f'{count} tokens {too_long}')
        return count

    def _limits(self, question: Question, room: int) -> Limits:
        most = min(self._max_tokens(question), room)
        if question.json_schema:
            return Limits(most)  # a stop string would leave half a document
        return Limits(most, (*self._bundle.prompt.stop, *question.stop))

    def _constraint(self, question: Question, max_tokens: int) -> Constraint | None:
        if not question.json_schema:
            return None
        return create_constraint(question.json_schema, self._vocabulary, max_tokens)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return read_vocabulary(self._llm)

    def _sampler(self, question: Question, constraint: Constraint | None) -> Sampler:
        return create_sampler(
            question.temperature or self._config.temperature,
            question.top_p or self._config.top_p,
            question.seed,
            question.repeat_penalty or self._config.repeat_penalty,
            constraint,
        )
