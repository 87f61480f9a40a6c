"""Everything the engine raises.

MobileVlmError                 code
├── ConfigError                INVALID      a setting out of its range
├── BundleError                INVALID      a model folder that cannot be used
│   ├── BundleFileError                     a file of it is missing or damaged
│   └── BundleSchemaError                   bundle.json says something we do not understand
├── CheckpointError            INVALID      a model that cannot be converted
├── ImageError                 INVALID      bytes or arrays that are not an image
├── QuestionError              INVALID      a question that cannot be asked
│   └── TooLongError           TOO_LONG
├── NoImageError               NO_IMAGE     nothing to answer about yet
├── StaleImageError            STALE        the image is older than the question allows
├── BusyError                  BUSY         the queue is full
├── ClosedError                CANCELLED    the engine was closed under the request, or before it
├── InterruptionError                       the asker waits no more
│   ├── DeadlineError          DEADLINE     the deadline passed
│   └── CancelledError         CANCELLED    the asker cancelled
└── BackendError               INTERNAL     an inference library failed, or is not there
    ├── PlanError                           no TensorRT plan that could be used
    └── MemoryShortError                    less memory is free than the work needs

`code` names a constant of msg/Status, so that nodes need no table of their own. Interruptions stay
inside: the question ends with what there is of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

MOST_LISTED = 4  # stamps in a message


class MobileVlmError(Exception):
    """Base of all; its message says what is wrong and what to do."""

    code: ClassVar[str] = 'INTERNAL'


class ConfigError(MobileVlmError):
    """A setting is out of its range."""

    code = 'INVALID'


class BundleError(MobileVlmError):
    """A model folder cannot be used."""

    code = 'INVALID'


class BundleFileError(BundleError):
    """A file of the bundle is missing or damaged."""


class BundleSchemaError(BundleError):
    """bundle.json says something this version does not understand."""


class CheckpointError(MobileVlmError):
    """A checkpoint that is damaged, incomplete or of an architecture that is not served."""

    code = 'INVALID'


class ImageError(MobileVlmError):
    """Bytes or an array that are not an image."""

    code = 'INVALID'


class QuestionError(MobileVlmError):
    """A question that cannot be asked."""

    code = 'INVALID'


class TooLongError(QuestionError):
    """A question that does not fit into the model's context."""

    code = 'TOO_LONG'


class NoImageError(MobileVlmError):
    """No image to answer about."""

    code = 'NO_IMAGE'


def no_image(camera: str) -> NoImageError:
    """The error about a camera, or about all of them if it has no name, that showed nothing."""
    name = f'camera {camera!r}' if camera else 'any camera'
    return NoImageError(f'no image from {name} yet; check that it is publishing')


def not_held(camera: str, stamp_ns: int, held_ns: Iterable[int]) -> NoImageError:
    """The error about a frame that was asked for by its stamp, and those that could have been."""
    whose = f'of camera {camera!r} ' if camera else ''
    listed = ', '.join(map(_seconds, sorted(held_ns)[-MOST_LISTED:]))
    return NoImageError(
        f'no frame {whose}with stamp {_seconds(stamp_ns)} is held any more; held '
        + (f'is {listed}' if listed else 'is none')
        + ': ask sooner, about a stamp of an answer, or for the newest frame instead'
    )


def _seconds(stamp_ns: int) -> str:
    """A stamp as ROS prints it."""
    return f'{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}'


class StaleImageError(MobileVlmError):
    """The image is older than the question allows."""

    code = 'STALE'


class BusyError(MobileVlmError):
    """The queue of questions is full."""

    code = 'BUSY'


class ClosedError(MobileVlmError):
    """The engine was closed under the request, or before it."""

    code = 'CANCELLED'


class InterruptionError(MobileVlmError):
    """The asker waits no more; `finish_reason` is that of the answer."""

    finish_reason: ClassVar[str] = ''


class DeadlineError(InterruptionError):
    """The deadline passed."""

    code = 'DEADLINE'
    finish_reason = 'deadline'


class CancelledError(InterruptionError):
    """The asker cancelled."""

    code = 'CANCELLED'
    finish_reason = 'cancelled'


class BackendError(MobileVlmError):
    """An inference library failed, or is not there."""


class PlanError(BackendError):
    """There is no TensorRT plan that fits this machine, or the one that was built is no good."""


class MemoryShortError(BackendError):
    """Less memory is free than the work is estimated to need."""
