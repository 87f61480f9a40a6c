"""A vlm_node that takes longer than anybody waits: `slow_vlm_node.py STAGE` says at what.

While `streaming` it takes a moment for each token of a long answer; at every other stage it never
returns from one call. It is quick about everything but questions that begin with Slow.
`slow_vlm_node.py STAGE patient` is not cut short when a signal ends it. Every deadline passes when
somebody makes a file `late` in the working directory.
"""

import sys
import threading
import time
from pathlib import Path

TOKEN_S = 0.2
STAGE = sys.argv[1]
LATE = Path('late')
clock = time.perf_counter
time.perf_counter = lambda: clock() + 3600 * LATE.exists()

from mobilevlm_ros.engine import create_fake_engine, worker  # noqa: E402
from mobilevlm_ros.nodes import runner  # noqa: E402
from mobilevlm_ros.nodes.vlm_node import VlmNode  # noqa: E402

if sys.argv[2:3] == ['patient']:
    runner.STOP_WITHIN_S = runner.KILL_AFTER_S = 300.0
    runner.LINGER_S = 1.0
    worker.JOIN_S = 0.1  # for a call that never returns


def linger(*_):
    print(STAGE, flush=True)
    threading.Event().wait()


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


raise SystemExit(runner.run(create))
