"""Messages to the engine's values and back, as pure functions."""

from __future__ import annotations

import struct
from array import array
from dataclasses import asdict

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros import msg
from mobilevlm_ros.engine import (
    Answer,
    Caption,
    Frame,
    MobileVlmError,
    Question,
    Timing,
    decode_image,
)
from mobilevlm_ros.nodes.encodings import to_rgb
from mobilevlm_ros.nodes.queries import check_query

# A camera whose nanosec is a second or more may send a later one.
LAST_STAMP_NS = (2**31 - 1) * 1_000_000_000 + 999_999_999

_CUT_SHORT = {'deadline': msg.Status.DEADLINE, 'cancelled': msg.Status.CANCELLED}


def stamp_to_ns(stamp: Time) -> int:
    """Nanoseconds since the clock's zero."""
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def stamp_of(data: bytes) -> int:
    """The stamp of a serialised message that begins with a Header, nanoseconds; 0: too short.

    CDR puts it behind four bytes that tell the byte order, as in every middleware of ROS 2.
    """
    if len(data) < 12:
        return 0
    seconds, rest = struct.unpack_from('<iI' if data[1] & 1 else '>iI', data, 4)
    return int(seconds * 1_000_000_000 + rest)


def ns_to_stamp(nanoseconds: int) -> Time:
    """The message of a stamp in nanoseconds; the last that there is, if it is later."""
    seconds, rest = divmod(min(nanoseconds, LAST_STAMP_NS), 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)


def image_to_frame(message: Image, camera: str = '') -> Frame:
    """The frame in a raw image; an rgb8 image is not copied.

    Raises:
        ImageError: if the encoding is not known or the data do not fit it.
    """
    pixels = to_rgb(
        message.data,
        message.encoding,
        message.height,
        message.width,
        message.step,
        bool(message.is_bigendian),
    )
    stamp_ns = stamp_to_ns(message.header.stamp)
    return Frame(pixels, stamp_ns, camera, message.header.frame_id)


def compressed_to_frame(message: CompressedImage, camera: str = '') -> Frame:
    """The frame in a JPEG, PNG or other image file, of the encoding that its format names.

    Raises:
        ImageError: if it cannot be decoded, or is of depth or an encoding that is not known.
    """
    pixels = decode_image(bytes(message.data), format=message.format)
    stamp_ns = stamp_to_ns(message.header.stamp)
    return Frame(pixels, stamp_ns, camera, message.header.frame_id)


def rgb_to_image(pixels: np.ndarray, stamp: Time, frame_id: str) -> Image:
    """The rgb8 message of uint8 RGB [h, w, 3]."""
    height, width = pixels.shape[:2]
    message = Image(height=height, width=width, encoding='rgb8', step=width * 3)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.data = array('B', pixels.tobytes())  # anything else is checked byte by byte
    return message


def query_to_question(query: msg.Query, defaults: Question | None = None) -> Question:
    """What a query asks of the engine.

    Args:
        query: the message.
        defaults: what its zeros mean; None: the engine's own.

    Raises:
        QuestionError: naming the field that is out of range, or two that cannot be together.
    """
    check_query(query, defaults.temperature if defaults else 0.0)
    roi = query.roi
    asked = {
        'max_tokens': query.max_tokens,
        'temperature': query.temperature,
        'top_p': query.top_p,
        'repeat_penalty': query.repeat_penalty,
        'seed': query.seed,
        'stop': tuple(query.stop),
        'max_age_s': _seconds(query.max_age),
        'deadline_s': _seconds(query.deadline),
        'choices': tuple(query.choices),
        'min_probability': query.min_probability,
        'json_schema': query.json_schema,
        'session': query.session,
        'roi': (roi.x_offset, roi.y_offset, roi.width, roi.height),
        'priority': -query.priority,  # the engine's most urgent are its least
    }
    unset = {name for name, value in asked.items() if not value} if defaults else set()
    asked |= {name: getattr(defaults, name) for name in unset}
    return Question(text=query.question, **asked)


def _seconds(duration: Duration) -> float:
    return float(duration.sec + duration.nanosec * 1e-9)


def answer_to_message(answer: Answer) -> msg.Answer:
    """The message of an answer, under the header of its source image."""
    message = msg.Answer(
        camera=answer.camera,
        question=answer.question,
        session=answer.session,
        text=answer.text,
        choices=list(answer.choices),
        probabilities=list(answer.probabilities),
        choice=answer.choice,
        abstained=answer.abstained,
        finish_reason=answer.finish_reason,
        model=answer.model,
        backend=answer.backend,
        timing=timing_to_message(answer.timing),
    )
    message.header.stamp = ns_to_stamp(answer.stamp_ns)
    message.header.frame_id = answer.frame_id
    return message


def caption_to_message(caption: Caption) -> msg.Caption:
    """The message of a caption, under the header of its source image."""
    answer = caption.answer
    message = msg.Caption(
        camera=answer.camera,
        text=answer.text,
        reason=int(caption.reason),
        change=caption.change,
        timing=timing_to_message(answer.timing),
    )
    message.header.stamp = ns_to_stamp(answer.stamp_ns)
    message.header.frame_id = answer.frame_id
    return message


def timing_to_message(timing: Timing) -> msg.Timing:
    """The message of a timing, field by field of the same name."""
    return msg.Timing(**asdict(timing))


def answer_to_status(answer: Answer) -> msg.Status:
    """OK, or what cut the answer short."""
    code = _CUT_SHORT.get(answer.finish_reason, msg.Status.OK)
    if code == msg.Status.OK:
        return msg.Status(code=code)
    cause = 'the deadline passed' if code == msg.Status.DEADLINE else 'cancelled'
    return msg.Status(code=code, message=f'{cause}; the answer is what there was by then')


def error_to_status(error: MobileVlmError) -> msg.Status:
    """The status that stands for an error of the engine."""
    return msg.Status(code=getattr(msg.Status, error.code), message=str(error))


def status_name(code: int) -> str:
    """The constant of msg/Status that has this value."""
    names = [name for name in vars(msg.Status) if name.isupper()]
    return str(next(name for name in names if getattr(msg.Status, name) == code))
