"""TensorRT itself: whether it is there, and its messages in our log."""

from __future__ import annotations

import logging
from collections import deque
from functools import cache
from typing import TYPE_CHECKING

from mobilevlm_ros.engine.errors import BackendError

if TYPE_CHECKING:
    import tensorrt

_logger = logging.getLogger(__name__)


def tensorrt_version() -> str:
    """The version of the TensorRT that can be imported, such as 10.3.0.

    Raises:
        BackendError: if none can.
    """
    try:
        import tensorrt as trt
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendError(
            f'tensorrt cannot be imported ({error}); it comes with JetPack, and a venv sees it '
            'only if it was made with --system-site-packages'
        ) from error
    return trt.__version__


class Complaints:
    """The last errors that TensorRT reported: its calls only return that something failed."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque(maxlen=3)

    def add(self, text: str) -> None:
        """Remember one."""
        self._texts.append(text)

    def take(self) -> str:
        """All of them in one line; they are forgotten then."""
        text = '; '.join(' '.join(text.split()) for text in self._texts)
        self._texts.clear()
        return text or 'TensorRT gave no reason'


@cache
def complaints() -> Complaints:
    """Those of this process."""
    return Complaints()


@cache
def trt_logger() -> tensorrt.ILogger:
    """The one logger of this process: TensorRT goes on using the first that it is given."""
    import tensorrt as trt

    severities = trt.ILogger.Severity
    levels = {
        int(severities.INTERNAL_ERROR): logging.ERROR,
        int(severities.ERROR): logging.ERROR,
        int(severities.WARNING): logging.WARNING,
    }

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind11 wants it called by name

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            level = levels.get(int(severity), logging.DEBUG)
            if level == logging.ERROR:
                complaints().add(msg)
            _logger.log(level, '%s', msg)

    return Logger()
