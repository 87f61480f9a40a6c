"""A vlm_node that takes longer than anybody waits: `slow_vlm_node.py STAGE` says at what.

While `streaming` it takes a moment for each token of a long answer; at every other stage it never
returns from one call. It is quick about everything but questions that begin with Slow.
"""

import sys
import time

from mobilevlm_ros.engine import create_fake_engine
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.vlm_node import VlmNode

STAGE = sys.argv[1]
TOKEN_S = 0.03


def linger(*_):
    print(STAGE, flush=True)
    time.sleep(60)


def reply(question, visual):
    """Called for each token of an answer."""
    if STAGE == 'answering':
        linger()
    if not question.strip().startswith('Slow'):
        return f'brightness {round(float(visual.mean()))}'
    print(STAGE, flush=True)
    time.sleep(TOKEN_S)
    return 'and so on ' * 30


class SlowNode(VlmNode):
    def _open_engine(self):
        if STAGE == 'loading':
            linger()
        engine = create_fake_engine(self._engine_config, reply)
        if STAGE == 'encoding':
            engine.encode = linger
        return engine


def create():
    node = SlowNode()
    node.start()
    return node


raise SystemExit(run(create))
