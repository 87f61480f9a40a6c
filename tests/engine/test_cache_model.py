"""Operations in any order, against a simple model of what the cache should hold."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mobilevlm_ros.engine import (
    Answer,
    BusyError,
    Chunk,
    EngineConfig,
    NoImageError,
    Question,
    create_fake_engine,
)
from tests.engine.support import grey

CAMERAS = st.sampled_from(['front', 'rear', 'left'])
SESSIONS = st.sampled_from(['', '', 'a', 'b', 'c'])
LEVELS = st.integers(0, 255)
CONFIG = EngineConfig(held_frames=2, sessions=2, active_questions=3)
HEAD, VISUAL = len('USER: ') + 1, 4


class Cache(RuleBasedStateMachine):
    """Looks, questions, conversations, and streams that are left open, read on or dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = create_fake_engine(CONFIG)
        self.newest: dict[str, int] = {}  # level of the last frame of each camera
        self.streams: list[tuple[int, str, str, Iterator[Chunk | Answer]]] = []

    @rule(camera=CAMERAS, level=LEVELS)
    def look(self, camera: str, level: int) -> None:
        self.engine.look(grey(level, camera=camera))
        self.newest[camera] = level

    @rule(camera=CAMERAS, session=SESSIONS)
    def ask(self, camera: str, session: str) -> None:
        question = Question('Q', session=session, max_tokens=300)
        try:
            answer = self.engine.ask(question, camera)
        except (NoImageError, BusyError):
            assert self.held(camera) is None or self.streams
            return
        assert answer.camera == camera
        assert answer.text.endswith(f'Q brightness {self.newest[camera]}') or session

    @rule(camera=CAMERAS, choices=st.sampled_from([('yes', 'no'), ('a', 'ab', 'abc', 'b')]))
    def choose(self, camera: str, choices: tuple[str, ...]) -> None:
        try:
            answer = self.engine.ask(Question('Q', choices=choices), camera)
        except (NoImageError, BusyError):
            assert self.held(camera) is None or self.streams
        else:
            assert abs(sum(answer.probabilities) - 1) < 1e-9

    @rule(level=LEVELS, session=SESSIONS)
    def ask_about_an_image(self, level: int, session: str) -> None:
        try:
            answer = self.engine.ask(Question('Q', session=session), frame=grey(level))
        except BusyError:
            assert self.streams
        else:
            assert session or answer.text == f'Q brightness {level}'

    @rule(camera=CAMERAS, session=SESSIONS)
    def open_stream(self, camera: str, session: str) -> None:
        stream = self.engine.stream(Question('S', session=session, max_tokens=30), camera)
        try:
            next(stream)
        except (NoImageError, BusyError):
            return
        self.streams.append((self.newest[camera], camera, session, stream))

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def read_stream(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.streams) - 1))
        level, camera, session, stream = self.streams[index]
        part = next(stream)
        if isinstance(part, Answer):
            assert session or part.text == f'S brightness {level}'
            assert part.camera == camera
            self.streams.pop(index)

    @precondition(lambda self: self.streams)
    @rule(data=st.data())
    def drop_stream(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.streams) - 1))
        self.streams.pop(index)[3].close()  # type: ignore[attr-defined]

    @invariant()
    def what_is_counted_is_what_is_there(self) -> None:
        load, llm = self.engine.language.load(), self.engine.language.llm
        used = llm.cells_used  # type: ignore[attr-defined]
        assert used <= load.cells_used <= load.cells
        taken = sum(llm.length(sequence) > 0 for sequence in range(llm.sequences))
        assert taken == llm.sequences - load.free_sequences
        assert len(self.engine.language.frames._newest) <= max(CONFIG.held_frames, taken)
        if not self.streams:
            assert used == load.cells_used
            assert load.active == 0

    def held(self, camera: str) -> object:
        return self.engine.language.frames.find(camera)

    def teardown(self) -> None:
        for *_, stream in self.streams:
            stream.close()  # type: ignore[attr-defined]
        sessions, frames = self.engine.language.sessions, self.engine.language.frames
        while sessions.give_up_sequence() or frames.drop_unused():
            pass
        assert self.engine.language.llm.cells_used == HEAD  # type: ignore[attr-defined]
        assert self.engine.language.load().held_frames == 0
        self.engine.close()


TestCache = Cache.TestCase
TestCache.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
