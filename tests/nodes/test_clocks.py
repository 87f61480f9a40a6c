"""Clocks that stand still, and what goes on all the same."""

import time

import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from mobilevlm_ros.nodes.clocks import STANDS_AFTER_S, ClockWatch, steady_timer
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros


class FakeClock:
    """A clock that is set by hand."""

    def __init__(self, simulated=True):
        self.nanoseconds = 0
        self.ros_time_is_active = simulated

    def now(self):
        return self


def test_a_timer_fires_although_simulated_time_stands_still(make_node):
    simulated = [Parameter('use_sim_time', value=True)]
    node = make_node('still', parameter_overrides=simulated)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    assert node.get_clock().ros_time_is_active and node.get_clock().now().nanoseconds == 0
    fired = []
    steady_timer(node, 0.01, lambda: fired.append(1))
    end = time.monotonic() + PATIENCE_S
    while len(fired) < 3:
        assert time.monotonic() < end
        executor.spin_once(timeout_sec=0.1)


def test_a_clock_that_stands_still_while_images_come_is_a_fault():
    watch = ClockWatch(FakeClock())
    assert watch.fault(10.0, images=True) == ''
    assert watch.fault(10.0 + STANDS_AFTER_S - 0.1, images=True) == ''
    assert watch.fault(10.0 + STANDS_AFTER_S, images=False) == ''
    assert '/clock has not moved for 3 s' in watch.fault(10.0 + STANDS_AFTER_S, images=True)


def test_a_clock_that_moves_again_is_none():
    clock = FakeClock()
    watch = ClockWatch(clock)
    watch.fault(0.0, images=True)
    assert watch.fault(60.0, images=True)
    clock.nanoseconds = 1
    assert watch.fault(61.0, images=True) == ''
    assert watch.fault(62.0, images=True) == ''


def test_a_clock_that_is_not_simulated_is_none():
    watch = ClockWatch(FakeClock(simulated=False))
    assert not any(watch.fault(at, images=True) for at in (0.0, 60.0, 120.0))
