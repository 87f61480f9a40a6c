"""What becomes of probes that end without an answer."""

import math

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from mobilevlm_ros.engine import EngineWorker, Question, create_fake_engine
from mobilevlm_ros.nodes.probes import Probe
from mobilevlm_ros.nodes.scenes import Scenes
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros


@pytest.fixture
def node(make_node):
    return make_node('scenes')


@pytest.mark.parametrize(('closed', 'codes'), [(False, ['NO_IMAGE']), (True, [])])
def test_probes_that_fail_are_told_but_not_those_of_an_engine_that_was_closed(
    node, capfd, closed, codes
):
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    probes = [Probe('clear', Question('Is it clear?', choices=('yes', 'no')))]
    judged, published, delivered = [], [], Future()
    with EngineWorker(create_fake_engine()) as worker:
        scenes = Scenes(
            node, worker, lambda: probes, lambda: 0.0, lambda _: math.inf, published.append,
            judged.append,
        )  # fmt: skip
        if closed:
            worker.close()
        behind = node.create_guard_condition(lambda: delivered.set_result(None))
        scenes.show('front')
        behind.trigger()
        executor.spin_until_future_complete(delivered, PATIENCE_S)
    assert delivered.done()
    assert not published and judged == codes
    assert ('no scene' in capfd.readouterr().err) != closed
