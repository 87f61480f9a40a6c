"""A camera's subscription, in this process and over DDS."""

import math

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.engine import Header, ImageError
from mobilevlm_ros.nodes.camera import Camera, decode
from mobilevlm_ros.nodes.config import CameraConfig
from mobilevlm_ros.nodes.conversions import ns_to_stamp, rgb_to_image, stamp_of

pytestmark = pytest.mark.ros


class Taken:
    """A camera on the test's own node, and the frames that it offered."""

    def __init__(self, client, **config):
        self.frames = []
        self.client = client
        self.camera = Camera(
            client.node, 'front', 'image', CameraConfig(**config), self._offer
        )

    def _offer(self, name, source):
        assert name == 'front'
        self.frames.append(source)


@pytest.fixture
def taken(client):
    return Taken(client)


def test_nothing_is_taken_until_somebody_wants_it(taken, client):
    client.show(10)
    client.spin(0.3)
    assert taken.frames == []
    taken.camera.want()
    client.wait(lambda: taken.frames)
    assert taken.frames[0]().pixels[0, 0, 0] == 10


def test_what_is_wanted_is_the_newest_and_one_alone(taken, client):
    arrived = client.listen(Image, 'image')
    for grey in (10, 20, 30):
        client.show(grey)
    client.wait(lambda: arrived and arrived[-1].data[0] == 30)
    taken.camera.want()
    client.wait(lambda: taken.frames)
    client.show(40)
    client.spin(0.3)
    assert [source().pixels[0, 0, 0] for source in taken.frames] == [30]


def test_pulling_takes_what_is_there_and_does_not_wait(taken, client):
    taken.camera.pull()
    assert taken.frames == []
    client.show(50)

    def pulled():
        taken.camera.pull()
        return taken.frames

    client.wait(pulled)
    assert taken.frames[0]().pixels[0, 0, 0] == 50


def test_compressed_images_come_from_their_own_topic(client):
    taken = Taken(client, transport='compressed')
    assert taken.camera.health().topic == '/image/compressed'


def test_a_camera_that_cannot_reach_us_is_reported(client):
    taken = Taken(client, reliability='reliable')
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    client.node.create_publisher(Image, 'image', qos)
    client.wait(lambda: taken.camera.health().publishers)
    assert 'reliab' in taken.camera.health().trouble.lower()


def test_a_camera_that_was_never_heard_is_silent_for_ever(taken):
    health = taken.camera.health()
    assert (health.taken, health.silent_s, health.publishers) == (0, math.inf, 0)


@pytest.mark.parametrize(
    ('offset_ns', 'said'),
    [(5_000_000_000, 'ahead of this clock'), (-2_000_000_000, 'jumped back')],
)
def test_stamps_that_jump_are_reported(taken, client, offset_ns, said):
    now = client.node.get_clock().now().nanoseconds
    for stamp_ns in (now, now + offset_ns):
        before = len(taken.frames)
        taken.camera.want()
        client.show(1, stamp_ns=stamp_ns)
        client.wait(lambda before=before: len(taken.frames) > before)
    assert said in taken.camera.health().clock


@pytest.mark.skipif(
    not hasattr(Subscription, 'CallbackType'), reason='rclpy of Humble does not tell of sending'
)
@pytest.mark.parametrize(('offset_s', 'counts'), [(0, False), (-3600, False), (3600, True)])
def test_when_an_image_was_sent_counts_where_its_stamp_cannot_be_true(
    taken, client, offset_s, counts
):
    now_ns = client.node.get_clock().now().nanoseconds
    take(taken, client, stamp_ns=now_ns + offset_s * 1_000_000_000)
    take(taken, client, stamp_ns=0)
    stamped, unstamped = (source() for source in taken.frames)
    assert (stamped.sent_s > 0) == counts
    assert 0 < unstamped.sent_s <= unstamped.arrived_s


def take(taken, client, **shown):
    """Want an image, send one, and wait until it was taken."""
    before = len(taken.frames)
    taken.camera.want()
    client.show(1, **shown)
    client.wait(lambda: len(taken.frames) > before)


def test_what_was_odd_between_two_reports_is_told_once(taken, client):
    now = client.node.get_clock().now().nanoseconds
    for stamp_ns in (now, now - 100_000_000, now - 50_000_000):
        take(taken, client, stamp_ns=stamp_ns)
    assert 'jumped back' in taken.camera.health().clock
    assert taken.camera.health().clock == ''


def test_a_silence_between_two_reports_is_told_once(taken, client):
    take(taken, client)
    taken.camera.health()
    taken.camera.want()
    client.spin(0.5)
    take(taken, client)
    assert taken.camera.health().silent_s >= 0.5
    assert taken.camera.health().silent_s == 0


def test_a_camera_of_which_nothing_is_wanted_is_not_silent(taken, client):
    take(taken, client)
    client.spin(0.3)
    assert taken.camera.health().silent_s == 0


def test_the_stamp_is_read_without_deserialising():
    message = rgb_to_image(np.zeros((2, 2, 3), np.uint8), ns_to_stamp(12_345_678_901), 'lens')
    assert stamp_of(serialize_message(message)) == 12_345_678_901
    assert stamp_of(b'') == 0


def test_bytes_that_are_no_message_are_an_image_error():
    whole = serialize_message(rgb_to_image(np.zeros((4, 4, 3), np.uint8), ns_to_stamp(1), 'lens'))
    for kind in (Image, CompressedImage):
        for size in (0, 3, 10, 30):
            with pytest.raises(ImageError):
                decode(kind, bytes(whole[:size]), 'front', Header())
