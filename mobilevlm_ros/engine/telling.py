"""What is said unasked: captions of the cameras' views, as they change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mobilevlm_ros.engine.answering import Asked
from mobilevlm_ros.engine.captions import Caption, Captioner, Due, OnCaption, gate_settings
from mobilevlm_ros.engine.change import Reason
from mobilevlm_ros.engine.draft import Draft, DraftedText, DraftPlan, plan_drafts
from mobilevlm_ros.engine.engine import EncodedFrame, Engine
from mobilevlm_ros.engine.errors import MobileVlmError
from mobilevlm_ros.engine.frames import HeldFrame
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.sequences import HEAD
from mobilevlm_ros.engine.types import CAPTION, Answer, Question, Timing

_logger = logging.getLogger(__name__)


def always() -> bool:
    """Captions are wanted at any time."""
    return True


def as_configured(camera: str) -> float:
    """The age that captions allow of a camera's images is that of EngineConfig."""
    return 0.0


class Captions:
    """Begins captions in the language thread, one at a time for each camera."""

    def __init__(
        self,
        engine: Engine,
        on_caption: OnCaption | None,
        wanted: Callable[[], bool] = always,
        max_age_s: Callable[[str], float] = as_configured,
    ) -> None:
        """Find out how far drafts may go, if there are to be captions.

        Args:
            engine: whose; its language model is idle.
            on_caption: what captions go to; None: there are none.
            wanted: whether to say any now.
            max_age_s: the age up to which a camera's image may be; 0: as EngineConfig says.
        """
        self.on_caption = on_caption
        self._wanted = wanted
        self._max_age_s = max_age_s
        self.cameras: dict[str, Captioner] = {}
        self._engine = engine
        self._freshness = engine.freshness
        self._settings = gate_settings(engine.config)
        self._question = Question(engine.bundle.caption_question, priority=CAPTION)
        drafts = on_caption is not None and engine.config.drafts
        self._plan = _plan(engine) if drafts else DraftPlan()

    def see(self, encoded: EncodedFrame) -> None:
        """Judge the view of a frame that is held from now on."""
        if self.on_caption is not None and self._wanted():
            camera = encoded.frame.camera
            if camera not in self.cameras:
                self.cameras[camera] = Captioner(self._settings, self._plan)
            self.cameras[camera].see(encoded.visual, encoded.at)

    def stay(self, camera: str, at: float) -> bool:
        """Note that a view has not changed; whether there is something to say all the same."""
        return camera in self.cameras and self._wanted() and self.cameras[camera].stay(at)

    def begin(self) -> None:
        """Begin those that are due and find room; none about a view that has become old."""
        for camera, captioner in self.cameras.items():
            if captioner.due is None and not captioner.repeat:
                continue
            held = self._engine.language.frames.find(camera)
            question = replace(self._question, max_age_s=self._max_age_s(camera))
            if held is None or self._freshness.is_old(question, held.latest.header, held.look_s):
                continue
            if captioner.repeat and captioner.said is not None:
                again = self._again(captioner.said, held, captioner.encoded_s)
                self.deliver(captioner, again, Reason.HEARTBEAT, 0.0)
            if captioner.due is None or captioner.telling:
                continue
            try:
                self._begin(held, captioner, captioner.due)
            except MobileVlmError as error:
                _logger.warning('camera %r: no caption: %s', camera, error)
                captioner.due = None

    def deliver(
        self, captioner: Captioner, answer: Answer, reason: Reason, change: float
    ) -> None:
        """Say a caption."""
        captioner.say(answer, time.perf_counter())
        try:
            if self.on_caption is not None:
                self.on_caption(Caption(answer, reason, change))
        except Exception:
            _logger.exception('camera %r: the caption could not be delivered', answer.camera)

    def _again(self, said: Answer, held: HeldFrame, encoded_s: float) -> Answer:
        """A caption as one of the newest frame that shows the same."""
        header = held.header()
        age_ms = self._freshness.age_s(header) * 1e3
        unchanged_ms = (header.arrived_s - encoded_s) * 1e3
        timing = Timing(image_age_ms=age_ms, final_age_ms=age_ms, unchanged_ms=unchanged_ms)
        return replace(
            said, stamp_ns=header.stamp_ns, frame_id=header.frame_id, timing=timing
        )

    def _begin(self, held: HeldFrame, captioner: Captioner, due: Due) -> None:
        language = self._engine.language
        draft = captioner.draft()
        asked = Asked(self._question, extend=DraftedText(language.llm, draft))
        if language.answer(asked, held, Telling(self, captioner, due, draft)) is not None:
            captioner.tell(due, held.frame.arrived_s)

    def end(self, captioner: Captioner, draft: Draft) -> None:
        """A caption is over; its tokens are the draft of the next."""
        captioner.telling = False
        is_end = self._engine.language.llm.is_end
        captioner.keep([token for token in draft.said if not is_end(token)])


@dataclass(slots=True, eq=False)
class Telling:
    """The outcome of a caption."""

    captions: Captions
    captioner: Captioner
    due: Due
    draft: Draft

    def succeed(self, answer: Answer) -> None:
        """Deliver the caption."""
        self.captions.end(self.captioner, self.draft)
        self.captions.deliver(self.captioner, answer, self.due.reason, self.due.change)

    def fail(self, error: Exception) -> None:
        """Say why there is none."""
        self.captions.end(self.captioner, self.draft)
        _logger.warning('no caption: %s', error)

    def interruption(self) -> None:
        """A caption waits; it is not broken off."""


def _plan(engine: Engine) -> DraftPlan:
    """Try drafts behind a prompt like those that captions have."""
    language, bundle = engine.language, engine.bundle
    llm, pool = language.llm, language.pool
    prompt = [
        *head_tokens(bundle.prompt, llm.tokenise, llm.bos),
        *question_tokens(bundle.prompt, bundle.caption_question, llm.tokenise),
    ]
    sequence = pool.take(HEAD)
    llm.remove(sequence)
    try:
        return plan_drafts(llm, sequence, prompt)
    finally:
        pool.give_back(sequence)
