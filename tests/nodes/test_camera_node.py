"""camera_node as a process."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image

from mobilevlm_ros.nodes.conversions import image_to_frame
from mobilevlm_ros.nodes.qos import FRAMES_IN

pytestmark = pytest.mark.ros


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
    client.wait(lambda: len(images) >= 8)
    shown = greys(images)
    assert [10, 20, 30, 10] in [shown[i : i + 4] for i in range(len(shown))]
    stamps = [image_to_frame(message).stamp_ns for message in images]
    assert stamps == sorted(set(stamps))
    assert images[0].header.frame_id == 'left_eye'
    assert '1b.png' in processes.log.read_text()


def test_without_a_loop_the_node_ends_after_the_last_frame(start, client, folder):
    images = client.listen(Image, 'image')
    process = start('camera_node', path=folder, rate=1.0, loop='false')  # discovery takes a while
    client.wait(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert greys(images)[-1:] == [30]


def test_a_folder_of_broken_images_ends_the_node(start, tmp_path, processes):
    (tmp_path / 'a.png').write_bytes(b'broken')
    assert start('camera_node', path=tmp_path, rate=50.0).wait(60) == 0
    assert 'no frame of' in processes.log.read_text()


def test_a_missing_path_is_said_in_one_line(start, processes):
    assert start('camera_node', path='/nowhere').wait(60) == 2
    lines = processes.log.read_text().splitlines()
    assert len(lines) == 1 and '/nowhere' in lines[0]
