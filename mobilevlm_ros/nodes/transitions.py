"""Transitions of a managed node whose errors are told; rclpy alone swallows them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from mobilevlm_ros.engine import MobileVlmError

N = TypeVar('N', bound=LifecycleNode)
Transition = Callable[[N, LifecycleState], TransitionCallbackReturn]


def told(transition: Transition[N]) -> Transition[N]:
    """Log what a transition raises, and let it fail then."""

    @wraps(transition)
    def tell(node: N, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            name = transition.__name__.removeprefix('on_')
            cause = str(error) if isinstance(error, MobileVlmError) else traceback.format_exc()
            node.get_logger().error(f'cannot {name}: {cause}')
            return TransitionCallbackReturn.FAILURE

    return tell
