"""What keeps images from coming, and how often it is said."""

from types import SimpleNamespace

import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy

from mobilevlm_ros.nodes.publishers import Wanted, Watch, elsewhere, trouble

BEST, RELIABLE = (
    QoSProfile(depth=1, reliability=policy)
    for policy in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE)
)
IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'


def publisher(qos=RELIABLE, kind=IMAGE):
    return SimpleNamespace(topic_type=kind, qos_profile=qos)


@pytest.mark.parametrize('publishers, words', [
    ([], ['nobody publishes /front/image']),
    ([publisher(kind=COMPRESSED)], ['/front/image has publishers of', COMPRESSED, IMAGE]),
    ([publisher(BEST)], ['QoS of /front/image', 'eliab', 'best_effort']),
    ([publisher(BEST), publisher(kind=COMPRESSED)], ['QoS of /front/image']),
])  # fmt: skip
def test_the_cause_is_named_with_the_topic(publishers, words):
    found = trouble(publishers, Wanted('/front/image', IMAGE, RELIABLE))
    assert all(word in found for word in words)


@pytest.mark.parametrize('publishers', [
    [publisher()], [publisher(BEST), publisher()], [publisher(kind='x'), publisher()],
])  # fmt: skip
def test_one_publisher_that_fits_is_enough(publishers):
    assert trouble(publishers, Wanted('/front/image', IMAGE, RELIABLE)) == ''
    assert trouble([publisher(BEST)], Wanted('/front/image', IMAGE, BEST)) == ''


def test_images_elsewhere_are_named_and_else_what_to_do():
    topics = [('/cam/image_raw', [IMAGE]), ('/odom', ['nav_msgs/msg/Odom']), ('/image', [IMAGE])]
    hint = elsewhere(topics, {'/cam/image_raw': 1, '/odom': 1, '/image': 0}.__getitem__)
    assert '/cam/image_raw' in hint and '-r image:=' in hint
    assert '/odom' not in hint and '/image (' not in hint
    assert 'start the camera' in elsewhere(topics, lambda name: 0)


@pytest.fixture
def said():
    return []


@pytest.fixture
def watch(said):
    return Watch(lambda name: said.append(f'{name} is silent'), said.append)


def test_trouble_is_said_once_after_the_grace_and_once_when_it_is_over(watch, said):
    for now_s in range(10):
        watch.note('front', 'nobody publishes /image', float(now_s), grace_s=3.0)
        assert len(said) == (now_s >= 3)
    for now_s in (10, 11):
        watch.note('front', '', float(now_s), 3.0)
    assert said == ['front is silent', 'front']


def test_trouble_that_passes_within_the_grace_is_not_said(watch, said):
    for now_s, state in enumerate(['a', 'a', '', 'a', 'b', 'a', '']):
        watch.note('front', state, float(now_s), 3.0)
    assert said == []


def test_another_trouble_and_another_camera_are_said_for_themselves(watch, said):
    for now_s, state in enumerate(['a', 'a', 'b', 'b']):
        watch.note('front', state, float(now_s), 1.0)
        watch.note('rear', 'a', float(now_s), 1.0)
    assert said == ['front is silent', 'rear is silent', 'front is silent']
