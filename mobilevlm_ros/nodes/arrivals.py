"""What the middleware tells of a message's way here.

A message may lie in the kernel's buffer, or in the middleware, while this process is stopped or
busy. Whoever takes it then must not take it for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.subscription import Subscription

RECEIVED, SENT = 'received_timestamp', 'source_timestamp'

Info = Mapping[str, Any]


def with_info(take: Callable[[Any, Info], None]) -> Callable[..., None]:
    """The callback of a subscription, called with each message and its info.

    Humble's rclpy hands over no info: it is empty there.
    """
    if hasattr(Subscription, 'CallbackType'):
        return take
    return lambda message: take(message, {})


def since_s(info: Info, moment: str, now_ns: int) -> float:
    """Seconds since a message arrived or was sent; 0: that is not told, or lies ahead.

    Args:
        info: of the message, from rclpy.
        moment: RECEIVED, on this machine's clock, or SENT, on that of the sender.
        now_ns: of the system's clock.
    """
    return max(0.0, (now_ns - (info.get(moment) or now_ns)) * 1e-9)
