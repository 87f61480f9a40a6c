"""What vlm_node says at its start, and of cameras whose images do not come."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.msg import Query, Status
from mobilevlm_ros.nodes.conversions import ns_to_stamp

pytestmark = pytest.mark.ros

FAKE = {'encoder': 'fake', 'llm': 'fake', 'captions': 'false'}
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def lines(processes, word):
    return [line for line in processes.log.read_text().splitlines() if word in line]


def test_a_start_that_succeeds_says_so_in_one_line_with_every_name(start, client, processes):
    names = ['-r', '__ns:=/robot', '-r', 'image:=/front/image_raw', '-r', '__node:=eyes']
    start('vlm_node', '--ros-args', *names, **FAKE)
    (line,) = client.wait(lambda: lines(processes, 'active: '))
    for name in ('model fake on fake, fake', '/front/image_raw (raw, best_effort)',
                 '/robot/eyes/ask ', '/robot/eyes/ask_stream', '/robot/eyes/answer',
                 '/robot/eyes/caption', '/robot/eyes/scene'):  # fmt: skip
        assert name in line


def test_several_cameras_are_all_in_that_line(start, client, processes):
    start('vlm_node', **FAKE, cameras="['front', 'rear']", **{'rear.transport': 'compressed'})
    (line,) = client.wait(lambda: lines(processes, 'active: '))
    assert '/front/image (raw' in line and '/rear/image/compressed (compressed' in line


def publish(client, kind, topic, qos=10):
    return client.node.create_publisher(kind, topic, qos)


def nobody(client):
    return 'nobody publishes /image; start the camera'


def elsewhere(client):
    publish(client, Image, 'front/image_raw')
    return 'nobody publishes /image; there are images on /front/image_raw (sensor_msgs/msg/Image)'


def wrong_type(client):
    publish(client, CompressedImage, 'image')
    return '/image has publishers of sensor_msgs/msg/CompressedImage, not of sensor_msgs/msg/Image'


def wrong_qos(client):
    publish(client, Image, 'image', BEST_EFFORT)
    return "the QoS of /image's publisher does not fit"


def nothing_sent(client):
    publish(client, Image, 'image')
    return '/image has a publisher, but no image came yet'


@pytest.mark.parametrize('arrange', [nobody, elsewhere, wrong_type, wrong_qos, nothing_sent])
def test_a_camera_without_images_is_told_by_name_and_logged_once(
    start, client, processes, arrange
):
    settings = {'camera.silent_after_s': 0.2}
    if arrange is wrong_qos:
        settings['camera.reliability'] = 'reliable'
    words = arrange(client)
    start('vlm_node', **FAKE, **settings)

    def told(**fields):
        response = client.ask(**fields)
        assert response.status.code == Status.NO_IMAGE
        return words in response.status.message

    client.wait(told)
    assert told(session='tour') and told(frame=Query.NEXT)
    assert told(frame=Query.STAMP, stamp=ns_to_stamp(5))
    client.wait(lambda: lines(processes, 'no image from camera: ' + words))
    reports = client.listen(DiagnosticArray, '/diagnostics')
    client.wait(lambda: len(reports) > 2)
    assert len(lines(processes, words)) == 1


def test_when_images_come_that_is_said_once_too(start, client, processes):
    start('vlm_node', **FAKE, **{'camera.silent_after_s': 0.2})
    client.wait(lambda: lines(processes, 'nobody publishes /image'))

    def heard():
        client.show(50)
        client.spin(0.1)
        return lines(processes, 'images from camera come')

    client.wait(heard)
    for words in ('nobody publishes', 'images from camera come'):
        assert len(lines(processes, words)) == 1


def test_a_stamp_that_is_not_held_is_told_with_those_that_are(start_fake, client):
    start_fake(captions='false')
    stamp_ns = client.show(50)
    client.answer()
    response = client.ask(frame=Query.STAMP, stamp=ns_to_stamp(12_345_000_000_001))
    assert response.status.code == Status.NO_IMAGE
    message = response.status.message
    assert 'with stamp 12345.000000001 is held' in message
    assert f'held is {stamp_ns // 10**9}.{stamp_ns % 10**9:09d}' in message
    assert 'no image' not in message
