"""A vlm_node whose model takes longer over an answer than anybody waits, in one call."""

import time

from mobilevlm_ros.engine import create_fake_engine
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.vlm_node import VlmNode


class SlowNode(VlmNode):
    def _open_engine(self):
        return create_fake_engine(self._engine_config, reply=lambda *_: time.sleep(60))


def create():
    node = SlowNode()
    node.start()
    return node


raise SystemExit(run(create))
