"""The engine's threads: frames and questions come from anywhere, answers go to futures.

The vision thread encodes images, as `Viewer` says; the language thread owns the llama.cpp context
and does all that `Talker` says. A single condition guards all that they share; neither model is
ever called under it, nor is a future resolved.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from mobilevlm_ros.engine import errors
from mobilevlm_ros.engine.answering import Asked, ignore
from mobilevlm_ros.engine.board import Board
from mobilevlm_ros.engine.captions import OnCaption, gate_settings
from mobilevlm_ros.engine.engine import Engine
from mobilevlm_ros.engine.gates import ChangedViews, Gate
from mobilevlm_ros.engine.generation import OnChunk
from mobilevlm_ros.engine.openmp import release_threads
from mobilevlm_ros.engine.requests import Group, Reply, Request
from mobilevlm_ros.engine.slots import CameraSlot, FrameSource
from mobilevlm_ros.engine.talker import Talker
from mobilevlm_ros.engine.telling import Captions, always, as_configured
from mobilevlm_ros.engine.timing import Arrival
from mobilevlm_ros.engine.types import WHOLE, Answer, Chunk, Frame, Load, Question
from mobilevlm_ros.engine.viewer import Viewer

JOIN_S = 10.0  # one look of the largest model on the slowest machine

_logger = logging.getLogger(__name__)


class EngineWorker:
    """Runs an engine in threads of its own, and closes it in the end."""

    def __init__(
        self,
        engine: Engine,
        on_caption: OnCaption | None = None,
        gate: Gate | None = None,
        captions_wanted: Callable[[], bool] = always,
        caption_max_age_s: Callable[[str], float] = as_configured,
    ) -> None:
        """Start the threads.

        Args:
            engine: nobody else may call it from now on.
            on_caption: called from the language thread with the answer to the bundle's caption
                question, when the view of a camera has changed (see EngineConfig).
            gate: what `look: on_change` goes by; None: coarse luma.
            captions_wanted: asked of every new view, from the language thread.
            caption_max_age_s: of a camera, asked from there too; 0: the engine's.
        """
        self._engine = engine
        self.unanswered = engine.language.unanswered  # also for what was never submitted
        on_change = engine.config.look == 'on_change'
        views = gate or ChangedViews(gate_settings(engine.config))
        self._changed = threading.Condition()
        on_demand, queue_size = engine.config.look == 'on_demand', engine.config.queue_size
        self._board = Board(self._look_period_s(), on_demand, queue_size, self._is_old)
        self._captions = Captions(engine, on_caption, captions_wanted, caption_max_age_s)
        self._talker = Talker(engine, self._board, self._changed, self._captions)
        self._viewer = Viewer(
            engine, self._board, self._changed, self._talker.looks, self._tell_news,
            views if on_change else None, self._captions.stay,
        )  # fmt: skip
        self._closed: Exception | None = None
        self._news = 0  # counts what the language thread may have to do with
        release_threads()  # of this thread, which loaded the model
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            for name, work in (('vision', self._see), ('language', self._talk))
        ]
        for thread in self._threads:
            thread.start()

    def show(self, frame: Frame) -> None:
        """Store a frame as the newest of its camera; it is looked at when its turn comes."""
        self.offer(frame.camera, lambda: frame)

    def offer(self, camera: str, source: FrameSource) -> None:
        """The same for a frame that is yet to be decoded: by the vision thread, if ever."""
        arrived_s = self._engine.freshness.steady_s()
        with self._changed:
            self._board.show(camera, source, arrived_s)
            self._changed.notify_all()

    def submit(
        self,
        question: Question,
        camera: str = '',
        newest: bool = False,
        *,
        frame: Frame | None = None,
        stamp_ns: int = 0,
        on_chunk: OnChunk = ignore,
        arrival: Arrival | None = None,
    ) -> Reply:
        """Ask about a camera's newest held frame, without waiting.

        Args:
            question: what to answer.
            camera: empty: the camera that was shown first, or what the session is about.
            newest: look at the newest frame first, if it is not held yet.
            frame: ask about this image, which is no camera's newest.
            stamp_ns: ask about the frame of this stamp, if it is still held; 0: the newest.
            on_chunk: called from the language thread with each piece of the answer; it must
                not block.
            arrival: when the question came; None: now.

        Returns:
            what will have the answer or a MobileVlmError; it has the error at once if the
            question cannot even wait.
        """
        group = Group()
        if frame is not None:
            group.fix(frame)
        request = self._request(question, camera, group, stamp_ns, on_chunk, arrival)
        return self._submit([request], newest)[0]

    def submit_all(
        self, questions: Sequence[Question], camera: str = '', newest: bool = False
    ) -> list[Reply]:
        """Ask several questions about the same frame; they are decoded together.

        All of them wait, or none: then each has the error.
        """
        group = Group()
        requests = [self._request(question, camera, group) for question in questions]
        return self._submit(requests, newest)

    def load(self) -> Load:
        """How busy the engine is."""
        with self._changed:
            waiting = sum(not request.reply.done() for request in self._board.waiting)
            return replace(self._talker.load, waiting=waiting)

    def close(self) -> None:
        """Fail what waits or runs at once, end the threads, close the engine."""
        self._shut(errors.ClosedError('the engine was closed; open a new one to ask again'))
        others = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in others:
            thread.join(JOIN_S)
        if any(thread.is_alive() for thread in others):
            _logger.error('a model did not return in %g s; its memory is not freed', JOIN_S)
        else:
            self._engine.close()

    def __enter__(self) -> EngineWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_old(self, question: Question, slot: CameraSlot) -> bool:
        """Whether the held frame is too old for a question, or has been unchanged for too long."""
        again_s = self._engine.config.look_again_s or math.inf
        old = slot.latest is None or self._engine.freshness.is_old(question, slot.latest.header)
        return old or slot.unchanged_s(time.perf_counter()) > again_s

    def _look_period_s(self) -> float:
        config = self._engine.config
        period_s = 1 / config.look_rate_hz if config.look_rate_hz else 0.0
        return math.inf if config.look == 'on_demand' else period_s

    def _request(
        self,
        question: Question,
        camera: str,
        group: Group,
        stamp_ns: int = 0,
        on_chunk: OnChunk = ignore,
        arrival: Arrival | None = None,
    ) -> Request:
        asked = Asked(question, arrival or Arrival(), stamp_ns=stamp_ns)
        if on_chunk is not ignore:
            asked.on_chunk = partial(self._post_chunk, on_chunk)
        group.size += 1
        group.waiting += 1
        group.whole |= question.roi == WHOLE
        deadline = self._engine.deadline(question, asked.arrival)
        own = group.frame is not None
        return Request(asked, self.unanswered, camera, group, own, stamp_ns, deadline)

    def _post_chunk(self, on_chunk: OnChunk, chunk: Chunk) -> None:
        """Show a chunk between two batches, when it can do no harm."""
        self._engine.language.scheduler.post(partial(_show, on_chunk, chunk))

    def _submit(self, requests: Sequence[Request], newest: bool) -> list[Reply]:
        try:
            with self._changed:
                if self._closed:
                    raise self._closed.with_traceback(None)  # which would grow with every question
                self._board.admit(list(requests), newest)
                self._tell_news()
        except errors.MobileVlmError as error:
            for request in requests:
                request.fail(error)
        for request in requests:
            request.reply.add_done_callback(self._let_go)
        return [request.reply for request in requests]

    def _let_go(self, reply: Future[Answer]) -> None:
        """Let what was kept for a question go, also where nothing else happens."""
        with self._changed:
            self._tell_news()

    def _tell_news(self) -> None:
        """Wake both threads; the lock is held."""
        self._news += 1
        self._changed.notify_all()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # ours or a callback's: else the worker would seem alive
            _logger.exception('the %s thread failed', threading.current_thread().name)
            self._shut(errors.BackendError(f'the engine failed: {error!r}; restart it'))

    def _shut(self, reason: Exception) -> None:
        with self._changed:
            self._closed = self._closed or reason
            unanswered = [*self._board.waiting, *self._talker.active]
            self._board.remove(unanswered)
            self._talker.active.clear()
            self._changed.notify_all()
        for request in unanswered:
            request.fail(reason)

    def _see(self) -> None:
        while job := self._next_encoding():
            job()

    def _next_encoding(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                now = time.perf_counter()
                job, due = self._viewer.next(now)
                if job is not None:
                    return job
                self._changed.wait(min(due - now, threading.TIMEOUT_MAX))
        return None

    def _talk(self) -> None:
        while not self._closed:
            seen = self._news
            if self._talker.turn():
                continue
            with self._changed:
                if seen == self._news and not self._closed:
                    self._changed.wait(self._board.patience(time.perf_counter()))


def _show(on_chunk: OnChunk, chunk: Chunk) -> None:
    try:
        on_chunk(chunk)
    except Exception:
        _logger.exception('a piece of an answer could not be delivered')
