"""Ask a running vlm_node from Python, in a few lines.

    from mobilevlm_ros.client import VlmClient

    with VlmClient() as vlm:
        print(vlm.ask('What is ahead?').text)
        if vlm.check('Is the path ahead clear?', min_probability=0.8):
            ...
        for piece in vlm.stream('Describe the scene.'):
            print(piece, end='', flush=True)

Every call can be awaited too: `await vlm.ask_async(...)`. A client has a node and a thread of its
own, so that it can be used beside any other node, from any thread, whoever spins what. Whatever
goes wrong is a VlmClientError: a value that cannot be sent is a BadValueError, no reply in time a
NoReplyError, a reply that is no whole answer a RefusedError with its status.
"""

from mobilevlm_ros.client.client import VlmClient
from mobilevlm_ros.client.values import (
    Answer,
    BadValueError,
    Check,
    ClosedError,
    NoReplyError,
    RefusedError,
    VlmClientError,
)

__all__ = [
    'Answer',
    'BadValueError',
    'Check',
    'ClosedError',
    'NoReplyError',
    'RefusedError',
    'VlmClient',
    'VlmClientError',
]
