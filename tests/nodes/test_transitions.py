"""What a lifecycle transition raises is in the log, and the node goes back to where it was."""

import pytest
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from mobilevlm_ros.engine import ConfigError
from mobilevlm_ros.nodes.transitions import told

pytestmark = pytest.mark.ros


class Raising(LifecycleNode):
    """Raises what it is told to when it is to be configured."""

    error = None

    @told
    def on_configure(self, state):
        if self.error is not None:
            raise self.error
        return super().on_configure(state)


@pytest.fixture
def node(make_node):
    make_node('first')  # inits ROS
    made = Raising('raising')
    yield made
    made.destroy_node()


def test_our_own_error_is_one_line_and_another_one_has_its_traceback(node, capfd):
    node.error = ConfigError('held_frames is too small')
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    told_of = capfd.readouterr().err
    assert 'cannot configure: held_frames is too small' in told_of
    assert 'Traceback' not in told_of
    node.error = RuntimeError('no memory')
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    told_of = capfd.readouterr().err
    assert 'cannot configure: Traceback' in told_of and 'no memory' in told_of


def test_a_transition_that_failed_can_be_asked_for_again(node):
    node.error = RuntimeError('no memory')
    node.trigger_configure()
    node.error = None
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
