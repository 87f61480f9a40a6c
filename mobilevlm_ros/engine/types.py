"""The values that pass through the engine: frames and questions in, answers out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mobilevlm_ros.engine.errors import ImageError, QuestionError

Pixels = NDArray[np.uint8]  # (height, width, 3), RGB
Floats = NDArray[np.float32]

INTERACTIVE, PROBE, CAPTION = 1, 2, 3  # priorities, the most urgent first

MOST_STOPS, LONGEST_STOP = 16, 256  # each is looked for at every token
LONGEST_SESSION = 256  # characters of its name
LONGEST_SIDE = 16384  # pixels; images are padded to squares: nearly a gigabyte

Roi = tuple[int, int, int, int]  # x, y of the left top corner, width, height; pixels
WHOLE: Roi = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Header:
    """When and where an image was taken, as its std_msgs/Header says, and when it arrived."""

    stamp_ns: int = 0  # on the engine's clock; 0 or less: unknown
    frame_id: str = ''
    arrived_s: float = 0.0  # on freshness.steady_s; 0: unknown, as of an image that is no camera's
    sent_s: float = 0.0  # the same, by its sender's clock; 0: unknown, or the stamp is credible


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera image, and where and when it was taken.

    It never counts as stale if both its stamp and its arrival are unknown.
    """

    pixels: Pixels  # (height, width, 3), RGB
    stamp_ns: int = 0  # as in Header
    camera: str = ''
    frame_id: str = ''
    arrived_s: float = 0.0  # as in Header
    sent_s: float = 0.0  # as in Header

    def __post_init__(self) -> None:
        check_pixels(self.pixels)

    @property
    def header(self) -> Header:
        """What is known of the image beside its pixels and its camera."""
        return Header(self.stamp_ns, self.frame_id, self.arrived_s, self.sent_s)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a frame. Zero and empty mean the engine's default."""

    text: str
    max_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    max_age_s: float = 0.0  # refuse a frame older than this; infinite: any age
    deadline_s: float = 0.0  # from the question's arrival; infinite: none
    choices: tuple[str, ...] = ()  # answer with one of these; empty: free text
    min_probability: float = 0.0  # abstain if the best choice has less
    json_schema: str = ''  # answer with JSON that fits this
    repeat_penalty: float = 0.0  # 1: none
    priority: int = 0  # INTERACTIVE (also 0), PROBE or CAPTION; below zero: still more urgent
    session: str = ''  # name of a conversation that this goes on with; empty: none
    roi: Roi = WHOLE  # ask about this part of the image alone

    def __post_init__(self) -> None:
        _check_text(self.text)
        _check_stops(self.stop)
        _check_range('max_tokens', self.max_tokens)
        _check_range('temperature', self.temperature, 2)
        _check_range('top_p', self.top_p, 1)
        _check_range('seed', self.seed)
        _check_range('max_age_s', self.max_age_s, infinite=True)
        _check_range('deadline_s', self.deadline_s, infinite=True)
        _check_range('min_probability', self.min_probability, 1)
        _check_range('repeat_penalty', self.repeat_penalty, 2)
        if 0 < self.repeat_penalty < 1:
            raise QuestionError(f'repeat_penalty is {self.repeat_penalty}; 1 is none, 2 most')
        if self.priority > CAPTION:
            raise QuestionError(f'priority is {self.priority}; {CAPTION} is the least urgent')
        _check_session(self.session)
        _check_roi(self.roi)


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one look or answer went. A stage that was not needed reads zero."""

    image_age_ms: float = 0.0  # of the header's image, when its encoding or use began
    final_age_ms: float = 0.0  # of the header's image, when the answer was complete
    unchanged_ms: float = 0.0  # from the encoded image to the one of the header, found unchanged
    queue_ms: float = 0.0
    encode_ms: float = 0.0
    prefill_ms: float = 0.0
    first_token_ms: float = 0.0  # from arrival to the first token
    decode_ms: float = 0.0  # from the first to the last token
    total_ms: float = 0.0
    visual_tokens: int = 0
    prompt_tokens: int = 0  # text tokens, head and question together
    reused_tokens: int = 0  # of both, those found in the cache and not decoded again
    generated_tokens: int = 0  # the end token not counted


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer while it is generated; all of them joined are the answer's text."""

    text: str
    generated_tokens: int  # so far


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the frame that it is about."""

    text: str
    question: str
    finish_reason: str  # stop, length, choice, deadline or cancelled
    timing: Timing = field(default_factory=Timing)
    stamp_ns: int = 0
    camera: str = ''
    frame_id: str = ''
    model: str = ''
    backend: str = ''
    session: str = ''
    choices: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()  # of each choice; their sum is one
    choice: int = -1  # number of the likeliest; -1: abstained, or free text
    abstained: bool = False

    @property
    def unanswered(self) -> bool:
        """Whether it was cancelled or too late before anything was found."""
        return self.finish_reason in ('deadline', 'cancelled') and not self.text


@dataclass(frozen=True, slots=True)
class Load:
    """How busy an engine is."""

    waiting: int = 0  # questions that have not begun
    active: int = 0  # questions and captions that are being answered
    held_frames: int = 0
    sessions: int = 0
    cells: int = 0  # of the KV cache, in tokens
    cells_used: int = 0  # those that what has begun may yet use counted too
    free_sequences: int = 0


def check_pixels(pixels: object) -> None:
    """Raise unless this is an array of uint8 (height, width, 3) with something in it."""
    if not isinstance(pixels, np.ndarray):
        raise ImageError(f'pixels should be a numpy array, found {type(pixels).__name__}')
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ImageError(
            'pixels should be uint8 RGB of shape (height, width, 3), '
            f'found {pixels.dtype} of shape {pixels.shape}'
        )
    if pixels.size == 0:
        raise ImageError(f'the image is empty: its shape is {pixels.shape}')
    height, width = pixels.shape[:2]
    if max(height, width) > LONGEST_SIDE:
        raise ImageError(
            f'the image has {width} x {height} pixels; scale it to {LONGEST_SIDE} a side at most'
        )


def _check_text(text: str) -> None:
    if not text.strip():
        raise QuestionError('the question is empty; ask something, such as "What is ahead?"')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QuestionError(f'the question is not valid Unicode: {error.reason}') from error


def _check_stops(stops: tuple[str, ...]) -> None:
    if len(stops) > MOST_STOPS or any(len(stop) > LONGEST_STOP for stop in stops):
        raise QuestionError(
            f'stop may hold {MOST_STOPS} texts of {LONGEST_STOP} characters each; '
            f'found {len(stops)}, the longest of {max(map(len, stops))}'
        )


def _check_session(session: str) -> None:
    if len(session) > LONGEST_SESSION:
        raise QuestionError(
            f'the name of the session has {len(session)} characters; it may have {LONGEST_SESSION}'
        )


def _check_roi(roi: Roi) -> None:
    x, y, width, height = roi
    if roi != WHOLE and (min(x, y) < 0 or min(width, height) < 1):
        raise QuestionError(
            f'roi: the region is {width} x {height} pixels at ({x}, {y}); x, y must be 0 or more, '
            'width and height 1 or more, or all of them 0 for the whole image'
        )


def _check_range(
    name: str, value: float, high: float = math.inf, infinite: bool = False
) -> None:
    if not 0 <= value <= high or (value == math.inf and not infinite):
        most = '' if high == math.inf else f' to {high:g}'
        kind = 'number' if infinite else 'finite number'
        raise QuestionError(f'{name} is {value}; it must be a {kind} from 0{most}')
