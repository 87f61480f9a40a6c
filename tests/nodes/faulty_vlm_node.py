"""A vlm_node whose encoder fails on dark images, and its language model on questions of booms."""

from mobilevlm_ros.engine import create_fake_engine
from mobilevlm_ros.engine.fake import describe
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.vlm_node import VlmNode


def see(brightness):
    if brightness < 5:
        raise RuntimeError('too dark for me')
    return brightness


def reply(question, visual):
    if 'boom' in question:
        raise RuntimeError('no words for a boom')
    return describe(question, visual)


class FaultyNode(VlmNode):
    def _open_engine(self):
        return create_fake_engine(self._engine_config, reply=reply, see=see)


def create():
    node = FaultyNode()
    node.start()
    return node


raise SystemExit(run(create))
