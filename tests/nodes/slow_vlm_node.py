"""A vlm_node whose model takes longer over an answer than anybody waits, in one call."""

import time

from mobilevlm_ros.engine import create_fake_engine
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.vlm_node import VlmNode


def ponder(question, visual):
    print('pondering', flush=True)
    time.sleep(60)


class SlowNode(VlmNode):
    def _open_engine(self):
        return create_fake_engine(self._engine_config, reply=ponder)


def create():
    node = SlowNode()
    node.start()
    return node


raise SystemExit(run(create))
