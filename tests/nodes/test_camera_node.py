"""camera_node as a process."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image

from mobilevlm_ros.nodes.conversions import image_to_frame
from mobilevlm_ros.nodes.qos import FRAMES_IN
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros

PATIENT = """
from mobilevlm_ros.nodes.camera_node import CameraNode
from mobilevlm_ros.nodes.runner import run
class PatientCamera(CameraNode):
    def _publish_next(self):
        if self._publisher.get_subscription_count():
            super()._publish_next()
raise SystemExit(run(PatientCamera))
"""


@pytest.fixture
def folder(tmp_path):
    result = tmp_path / 'images'
    result.mkdir()
    for i, grey in enumerate((10, 20, 30)):
        cv2.imwrite(str(result / f'{i}.png'), np.full((16, 24, 3), grey, np.uint8))
    (result / '1b.png').write_bytes(b'broken')
    return result


def greys(messages):
    return [int(image_to_frame(message).pixels[0, 0, 0]) for message in messages]


def test_a_folder_is_played_in_a_loop_with_rising_stamps(start, client, folder, processes):
    images = client.listen(Image, 'image', FRAMES_IN)
    start('camera_node', path=folder, rate=50.0, frame_id='left_eye')

    def played_in_a_loop():
        shown = greys(images)
        return [10, 20, 30, 10] in [shown[i : i + 4] for i in range(len(shown))]

    client.wait(played_in_a_loop)
    stamps = [image_to_frame(message).stamp_ns for message in images]
    assert stamps == sorted(set(stamps))
    assert images[0].header.frame_id == 'left_eye'
    assert '1b.png' in processes.log.read_text()


def test_without_a_loop_the_node_ends_after_the_last_frame(start, client, folder, tmp_path):
    images = client.listen(Image, 'image')
    program = tmp_path / 'patient_camera.py'
    program.write_text(PATIENT)
    process = start(str(program), path=folder, rate=10.0, loop='false')
    client.wait(lambda: process.poll() is not None)
    assert process.returncode == 0
    client.wait(lambda: greys(images)[-1:] == [30])


def test_a_folder_of_broken_images_ends_the_node(start, tmp_path, processes):
    (tmp_path / 'a.png').write_bytes(b'broken')
    assert start('camera_node', path=tmp_path, rate=50.0).wait(PATIENCE_S) == 0
    assert 'no frame of' in processes.log.read_text()


@pytest.mark.parametrize('name', ['nowhere', 'broken.mp4', 'empty.mp4'])
def test_a_path_that_cannot_be_played_is_said_in_one_line(start, processes, tmp_path, name):
    (tmp_path / 'broken.mp4').write_bytes(b'\0\0\0\x18ftypmp42' + bytes(100))
    (tmp_path / 'empty.mp4').touch()
    assert start('camera_node', path=tmp_path / name).wait(PATIENCE_S) == 2
    lines = processes.log.read_text().splitlines()
    assert len(lines) == 1 and name in lines[0]
