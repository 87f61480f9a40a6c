"""The engine's threads: frames and questions come from anywhere, answers go to futures.

The vision thread encodes frames; the language thread owns the llama.cpp context, holds encoded
frames and answers. A single condition guards all that they share; neither model is ever called
under it, nor is a future resolved.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from mobilevlm_ros.engine import errors
from mobilevlm_ros.engine.engine import EncodedFrame, Engine, last
from mobilevlm_ros.engine.requests import Request
from mobilevlm_ros.engine.slots import CameraSlot, FrameSource
from mobilevlm_ros.engine.timing import Arrival
from mobilevlm_ros.engine.types import Answer, Frame, Question

JOIN_S = 10.0  # one look of the largest model on the slowest machine

_logger = logging.getLogger(__name__)

Job = Callable[[], None]


class EngineWorker:
    """Runs an engine in threads of its own, and closes it in the end."""

    def __init__(self, engine: Engine, on_caption: Callable[[Answer], None] | None = None) -> None:
        """Start the threads.

        Args:
            engine: nobody else may call it from now on.
            on_caption: called from the language thread with the answer to the bundle's caption
                question, after a look, at most once per `caption_period_s` and camera.
        """
        self._engine = engine
        self._config = engine.config
        self._on_caption = on_caption
        self._caption = Question(engine.bundle.caption_question)
        self._changed = threading.Condition()
        self._slots: dict[str, CameraSlot] = {}
        self._waiting: list[Request] = []
        self._current: Request | None = None
        self._look_next = True
        self._closed: Exception | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(step,), name=name, daemon=True)
            for name, step in (('vision', self._next_encoding), ('language', self._next_turn))
        ]
        for thread in self._threads:
            thread.start()

    def show(self, frame: Frame) -> None:
        """Store a frame as the newest of its camera; it is looked at when its turn comes."""
        self.offer(frame.camera, lambda: frame)

    def offer(self, camera: str, source: FrameSource) -> None:
        """The same for a frame that is yet to be decoded: by the vision thread, if ever."""
        with self._changed:
            if camera not in self._slots:
                self._slots[camera] = CameraSlot(self._look_period_s())
            self._slots[camera].show(source)
            self._changed.notify_all()

    def submit(self, question: Question, camera: str = '', newest: bool = False) -> Future[Answer]:
        """Ask about a camera's newest held frame, without waiting.

        Args:
            question: what to answer.
            camera: empty: the camera that was shown first.
            newest: look at the newest frame first, if it is not held yet.

        Returns:
            what will have the answer or a MobileVlmError; it has the error at once if the
            question cannot even wait.
        """
        request = Request(question, camera)
        try:
            with self._changed:
                self._admit(request, newest)
                self._changed.notify_all()
        except errors.MobileVlmError as error:
            request.fail(error)
        return request.future

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

    def _look_period_s(self) -> float:
        if self._config.look == 'on_demand':
            return math.inf
        return 1 / self._config.look_rate_hz if self._config.look_rate_hz else 0.0

    def _admit(self, request: Request, newest: bool) -> None:
        if self._closed:
            raise self._closed.with_traceback(None)  # which would grow with every question
        self._waiting = [r for r in self._waiting if not r.future.cancelled()]
        if len(self._waiting) >= self._config.queue_size:
            raise errors.BusyError(
                f'{len(self._waiting)} questions are waiting already; ask again later'
            )
        request.camera = request.camera or next(iter(self._slots), '')
        slot = self._slots.get(request.camera)
        if slot is None:
            raise errors.no_image(request.camera)
        if newest or self._must_look(request, slot):
            request.needs = slot.shown
            request.waits = slot.held < slot.shown
        if slot.failure and not slot.can_hold(request.needs):
            raise slot.failure.with_traceback(None)
        self._waiting.append(request)

    def _must_look(self, request: Request, slot: CameraSlot) -> bool:
        """Whether the frame that is held, if one is, would not do."""
        if slot.held_frame is None or self._config.look == 'on_demand':
            return True
        return self._engine.age_s(slot.held_frame) > self._engine.max_age_s(request.question)

    def _run(self, step: Callable[[], Job | None]) -> None:
        """A thread: do one job after another until there is none any more."""
        try:
            while job := step():
                job()
        except BaseException as error:  # ours or a callback's: else the worker would seem alive
            _logger.exception('the %s thread failed', threading.current_thread().name)
            self._shut(errors.BackendError(f'the engine failed: {error!r}; restart it'))

    def _shut(self, reason: Exception) -> None:
        with self._changed:
            self._closed = self._closed or reason
            unanswered = [*self._waiting, *([self._current] if self._current else [])]
            self._waiting.clear()
            self._changed.notify_all()
        for request in unanswered:
            request.fail(reason)

    # The vision thread.

    def _next_encoding(self) -> Job | None:
        with self._changed:
            while not self._closed:
                due, _, camera = min(
                    (
                        (slot.due(self._wanted(name)), slot.taken_at, name)
                        for name, slot in self._slots.items()
                    ),
                    default=(math.inf, 0.0, ''),
                )
                now = time.perf_counter()
                if due <= now:
                    slot = self._slots[camera]
                    return partial(self._encode, camera, slot, *slot.take(now))
                self._changed.wait(min(due - now, threading.TIMEOUT_MAX))
        return None

    def _wanted(self, camera: str) -> int:
        return max((r.needs for r in self._waiting if r.camera == camera), default=0)

    def _encode(self, camera: str, slot: CameraSlot, number: int, source: FrameSource) -> None:
        try:
            encoded = self._engine.encode(source())
        except Exception as error:
            self._fail_look(slot, camera, number, error)
            return
        with self._changed:
            slot.encoded = number, encoded
            self._changed.notify_all()

    def _fail_look(self, slot: CameraSlot, camera: str, number: int, error: Exception) -> None:
        """Fail the questions that waited for this frame; the next frame is a new chance."""
        _logger.warning('camera %r: could not look at a frame: %s', camera, error)
        failure = _as_engine_error(error)
        with self._changed:
            slot.fail(number, failure)
            failed = [
                r for r in self._waiting if r.camera == camera and not slot.can_hold(r.needs)
            ]
            self._waiting = [r for r in self._waiting if r not in failed]
        for request in failed:
            request.fail(failure)

    # The language thread.

    def _next_turn(self) -> Job | None:
        with self._changed:
            while not self._closed:
                if job := self._choose():
                    return job
                self._changed.wait()
        return None

    def _choose(self) -> Job | None:
        """Look and talk by turns when both are to be done."""
        if self._look_next:
            return self._choose_look() or self._choose_talk()
        return self._choose_talk() or self._choose_look()

    def _choose_look(self) -> Job | None:
        """Hold the frame that has waited longest: of two busy cameras each gets its turn."""
        ready = [(slot.encoded[1].at, name) for name, slot in self._slots.items() if slot.encoded]
        if not ready:
            return None
        slot = self._slots[min(ready)[1]]
        assert slot.encoded is not None
        job = partial(self._hold, slot, *slot.encoded)
        slot.encoded, self._look_next = None, False
        self._changed.notify_all()
        return job

    def _choose_talk(self) -> Job | None:
        job = self._choose_answer() or self._choose_caption()
        self._look_next = True
        return job

    def _choose_answer(self) -> Job | None:
        for request in list(self._waiting):
            slot = self._slots[request.camera]
            if request.needs <= slot.held:
                self._waiting.remove(request)
                if request.future.set_running_or_notify_cancel():
                    self._current = request
                    arrived = request.arrival.at
                    looked = slot.looked_since(arrived) if request.waits else None
                    return partial(self._answer, request, Arrival(arrived, looked))
        return None

    def _choose_caption(self) -> Job | None:
        for camera, slot in self._slots.items():
            if slot.caption_due:
                slot.caption_due = False
                slot.next_caption = time.perf_counter() + self._config.caption_period_s
                return partial(self._tell, camera)
        return None

    def _hold(self, slot: CameraSlot, number: int, encoded: EncodedFrame) -> None:
        try:
            timing = self._engine.hold(encoded)
        except Exception as error:
            with self._changed:
                slot.held_frame = None  # it was removed to make room
            self._fail_look(slot, encoded.frame.camera, number, error)
            return
        now = time.perf_counter()
        with self._changed:
            slot.hold(number, encoded, timing, now)
            slot.caption_due = self._on_caption is not None and now >= slot.next_caption

    def _answer(self, request: Request, arrival: Arrival) -> None:
        try:
            answer = self._ask(request.question, request.camera, arrival)
        except Exception as error:
            request.fail(_as_engine_error(error))
        else:
            request.succeed(answer)
        finally:
            self._current = None

    def _tell(self, camera: str) -> None:
        assert self._on_caption is not None
        try:
            answer = self._ask(self._caption, camera, Arrival())
            if not self._closed:
                self._on_caption(answer)
        except errors.MobileVlmError as error:
            _logger.warning('camera %r: no caption: %s', camera, error)
        except Exception:
            _logger.exception('camera %r: the caption could not be delivered', camera)

    def _ask(self, question: Question, camera: str, arrival: Arrival) -> Answer:
        stream = self._engine.stream(
            question, camera, cancelled=lambda: self._closed is not None, arrival=arrival
        )
        return last(stream)


def _as_engine_error(error: Exception) -> errors.MobileVlmError:
    """The error itself if it is one of ours, else one of ours that says what failed."""
    if isinstance(error, errors.MobileVlmError):
        return error
    _logger.error('a model failed', exc_info=error)
    return errors.BackendError(f'a model failed: {error!r}; the log says more')
