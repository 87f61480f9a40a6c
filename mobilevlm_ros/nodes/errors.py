"""What the nodes refuse beside what the engine refuses; see engine/errors.py."""

from __future__ import annotations

from mobilevlm_ros.engine import MobileVlmError


class NotActiveError(MobileVlmError):
    """The node is not in its active lifecycle state."""

    code = 'NOT_ACTIVE'


class UnknownCameraError(MobileVlmError):
    """No camera of that name is configured."""

    code = 'UNKNOWN_CAMERA'
