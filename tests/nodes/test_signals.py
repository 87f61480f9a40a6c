"""Signals end vlm_node whatever it is doing, requests first, and leave nothing behind."""

import signal

import pytest

from mobilevlm_ros.msg import Status
from mobilevlm_ros.nodes.runner import KILL_AFTER_S, STOP_WITHIN_S
from tests.nodes.conftest import Segments
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros

# The node ends in order; its process, which goes on for ever, is cut short after that.
LINGERING = """
import threading, time
from types import SimpleNamespace
from rclpy.node import Node
from mobilevlm_ros.nodes import runner
class Lingering(Node):
    done = False
    def stop(self):
        return True
ended = threading.Event()
runner.time = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: ended.wait())
runner.run(lambda: Lingering('lingering'))
ended.set()
threading.Event().wait()
"""


def test_ending_is_cut_short_within_a_second():
    assert STOP_WITHIN_S < KILL_AFTER_S < 1


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('stage', ['loading', 'encoding', 'answering', 'streaming'])
def test_a_signal_ends_the_node_though_a_call_never_returns(start_slow, stage, number):
    process, _ = start_slow(stage)
    segments = Segments(process)
    assert segments.locks
    process.send_signal(number)
    assert process.wait(PATIENCE_S) in (0, 128 + number)
    assert not segments.abandoned()


@pytest.mark.parametrize('stage', ['encoding', 'answering', 'streaming'])
def test_requests_in_progress_are_answered_before_the_node_ends(start_slow, client, stage):
    process, future = start_slow(stage, 'patient')
    process.send_signal(signal.SIGTERM)
    client.wait(future.done)
    assert future.result().status.code in (Status.CANCELLED, Status.NOT_ACTIVE)
    assert process.wait(PATIENCE_S) == 0


def test_a_signal_ends_an_idle_node_cleanly(start_patient, client):
    process = start_patient('vlm_node', encoder='fake', llm='fake')
    client.ask()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_a_node_that_ended_in_order_has_exit_code_0_though_its_process_is_cut_short(
    start, client, tmp_path
):
    program = tmp_path / 'lingering.py'
    program.write_text(LINGERING)
    process = start(str(program))
    client.wait(lambda: 'lingering' in client.node.get_node_names())
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
