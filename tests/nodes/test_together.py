"""Several nodes in one process, started as vlm.launch.py does."""

import signal

import cv2
import numpy as np
import pytest

from mobilevlm_ros.msg import Status
from mobilevlm_ros.nodes.launching import plan
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros

ARGUMENTS = {
    'image': 'image', 'cameras': '', 'camera': '', 'seed': '3', 'bundle': '', 'remaps': '',
    'autostart': 'true', 'respawn': 'false', 'respawn_delay': '2.0', 'use_sim_time': '',
}  # fmt: skip
FAKE = """
/**/vlm_node: {ros__parameters: {encoder: fake, llm: fake, autostart: false, max_age_s: 0.0}}
"""
BROKEN = """
from rclpy.node import Node
from mobilevlm_ros.nodes.runner import run_together
class Broken(Node):
    done = False
    def __init__(self, name, broken):
        super().__init__(name)
        if broken:
            self.create_timer(0.1, lambda: 1 / 0)
    def stop(self):
        return True
run_together([lambda: Broken('broken', True), lambda: Broken('whole', False)])
"""


@pytest.fixture
def folder(tmp_path):
    result = tmp_path / 'images'
    result.mkdir()
    cv2.imwrite(str(result / '0.png'), np.full((16, 16, 3), 70, np.uint8))
    return result


@pytest.fixture
def launch(start_patient, tmp_path):
    """Starts what the launch file would, composed, in the namespace /a, with a fake model."""

    def begin(*more, **arguments):
        (tmp_path / 'fake.yaml').write_text(FAKE)
        planned = plan({**ARGUMENTS, 'params_file': str(tmp_path / 'fake.yaml'), **arguments})
        (tmp_path / 'given.yaml').write_text(planned.overrides('/a'))
        files = [f'--params-file={tmp_path / name}.yaml' for name in ('fake', 'given')]
        words = [word for file in files for word in file.split('=', 1)]
        for old, new in planned.remaps:
            words += ['-r', f'{old}:={new}']
        ((executable, *nodes),) = planned.processes(together=True)
        return start_patient(executable, *nodes, '--ros-args', '-r', '__ns:=/a', *words, *more)

    return begin


def test_a_question_is_answered_about_the_camera_of_the_same_process(launch, client_in, folder):
    process = launch(camera=str(folder), image='/cam/image')
    client = client_in('a')
    answer = client.answer().answer
    assert (answer.text, answer.header.frame_id) == ('Well? brightness 70', 'camera_optical_frame')
    assert client.node.get_publishers_info_by_topic('/cam/image')
    process.terminate()
    assert process.wait(PATIENCE_S) == 0


def test_several_cameras_by_argument(launch, client_in):
    launch(cameras='front=/f/image_raw,rear=/r/image_raw')
    client = client_in('a')
    client.show(20, topic='/f/image_raw')
    client.show(200, topic='/r/image_raw')
    assert client.answer().answer.text == 'Well? brightness 20'
    assert client.answer(camera='rear').answer.text == 'Well? brightness 200'


def test_the_others_go_on_when_a_node_is_done(launch, client_in, folder):
    launch('-p', 'loop:=false', camera=str(folder))
    client = client_in('a')

    def camera_is_gone():
        names = client.node.get_node_names()
        return 'vlm_node' in names and 'camera_node' not in names

    client.wait(camera_is_gone)
    assert client.ask().status.code in (Status.OK, Status.NO_IMAGE)


def test_a_signal_ends_all_nodes_in_order(launch, client_in, folder):
    process = launch(camera=str(folder))
    client_in('a').answer()
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0


def test_a_node_that_cannot_be_created_ends_the_process_with_its_reason(launch, processes):
    assert launch(camera=__file__).wait(PATIENCE_S) == 2
    assert f'{__file__} is not a video' in processes.log.read_text()


def test_a_node_that_fails_ends_the_others_too(start, tmp_path, processes):
    program = tmp_path / 'broken.py'
    program.write_text(BROKEN)
    assert start(str(program)).wait(PATIENCE_S) == 1
    assert 'ZeroDivisionError' in processes.log.read_text()


@pytest.mark.parametrize('nodes', [[], ['eye_node'], ['sim_node', 'sim_node']])
def test_what_is_not_one_of_the_nodes_is_refused(start, processes, nodes):
    assert start('together', *nodes).wait(PATIENCE_S) == 2
    log = processes.log.read_text()
    assert 'camera_node' in log and 'once' in log and 'Traceback' not in log
