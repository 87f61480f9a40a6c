"""vlm_node never answers about an image older than it says, whatever stamps and clocks say."""

import os
import signal
import time
from pathlib import Path

import pytest
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from mobilevlm_ros.msg import Caption, Query, Status
from mobilevlm_ros.nodes.conversions import stamp_to_ns

pytestmark = pytest.mark.ros

PLAIN_CAMERA = str(Path(__file__).parent / 'plain_camera.py')
SLOW_NODE = str(Path(__file__).parent / 'slow_vlm_node.py')
HOUR_NS = 3600 * 1_000_000_000
ANY_AGE = Duration(sec=2**31 - 1)


def seconds(value):
    return Duration(sec=int(value), nanosec=int(value % 1 * 1e9))


def show_until_answered(client, **fields):
    """Publish and ask by turns, as a camera would; the first answer that is OK."""

    def answered():
        client.show(50, **fields)
        response = client.ask(frame=Query.NEWEST, max_age=ANY_AGE)
        return response if response.status.code == Status.OK else None

    return client.wait(answered)


def stale(client, **fields):
    response = client.ask(**fields)
    assert response.status.code == Status.STALE, response
    return response.status.message


def camera_part(client, heard, condition):
    """The first report of the camera that meets the condition."""

    def found():
        every = (status for report in heard for status in report.status)
        parts = [status for status in every if status.name.endswith(': camera camera')]
        return next(filter(condition, parts), None)

    return client.wait(found)


@pytest.mark.parametrize('stamp_ns', [0, None, 24 * HOUR_NS], ids=['zero', 'now', 'tomorrow'])
def test_a_camera_that_died_is_stale_whatever_its_stamps_were(start_fake, client, stamp_ns):
    start_fake(max_age_s=2.0)
    if stamp_ns:
        stamp_ns += client.node.get_clock().now().nanoseconds
    began = time.monotonic()
    show_until_answered(client, stamp_ns=stamp_ns)
    client.spin(0.6)
    for frame in (Query.HELD, Query.NEWEST):
        assert 'check that the camera is publishing' in stale(
            client, frame=frame, max_age=seconds(0.5)
        )
    answer = client.ask(max_age=ANY_AGE).answer
    assert 600 <= answer.timing.image_age_ms <= (time.monotonic() - began) * 1e3
    assert answer.timing.final_age_ms >= answer.timing.image_age_ms


@pytest.fixture
def udp(monkeypatch):
    """What is sent to a process that is stopped waits in the kernel, as from another machine."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')  # LOCALHOST adds shared memory
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'UDPv4')
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(
    not hasattr(Subscription, 'CallbackType'), reason='rclpy of Humble does not tell of sending'
)
@pytest.mark.parametrize('clock', ['unstamped', '3600', '0'])
def test_what_came_while_the_node_was_stopped_is_not_new_to_it(
    udp, start, start_fake, client, processes, clock
):
    node = start_fake(look='on_demand', captions='false')
    camera = start(PLAIN_CAMERA, '60', clock)
    client.answer()
    images = client.listen(Image, 'image')
    client.wait(lambda: images)
    os.kill(node.pid, signal.SIGSTOP)
    try:
        came = len(images)
        client.wait(lambda: len(images) > came + 5)
        processes.kill(camera)
        client.spin(1.2)
    finally:
        os.kill(node.pid, signal.SIGCONT)
    message = stale(client, max_age=seconds(0.5))
    assert 'check that the camera is publishing' not in message
    assert client.ask(max_age=ANY_AGE).status.code == Status.OK


def test_a_question_that_waits_for_others_is_about_an_image_that_came_meanwhile(start, client):
    start(SLOW_NODE, 'streaming', look='on_demand', active_questions=1, captions='false')
    start(PLAIN_CAMERA, '60', '0')
    client.answer()

    def answered():  # tried again where the machine is too busy to let images come in time
        long = client.send('Slow?', max_tokens=300, deadline=seconds(2.5))
        response = client.ask(max_age=seconds(1.0))
        return long.done() and response.status.code == Status.OK

    client.wait(answered)


def test_by_default_no_answer_is_about_an_image_older_than_two_seconds(start_fake, client):
    start_fake(max_age_s=None)
    show_until_answered(client)
    client.spin(2.1)
    assert 'max_age is 2 s' in stale(client)


def test_stamps_an_hour_behind_are_said_to_be_a_matter_of_clocks(start_fake, client):
    start_fake(max_age_s=2.0)
    heard = client.listen(DiagnosticArray, '/diagnostics')
    now_ns = client.node.get_clock().now().nanoseconds
    show_until_answered(client, stamp_ns=now_ns - HOUR_NS)
    client.show(50, stamp_ns=client.node.get_clock().now().nanoseconds - HOUR_NS)
    message = stale(client, frame=Query.NEWEST)
    assert 'behind this clock; set both clocks alike' in message
    assert 'check that the camera is publishing' not in message
    part = camera_part(client, heard, lambda part: 'behind this clock' in part.message)
    assert part.level == DiagnosticStatus.WARN
    offset_s = float(next(pair.value for pair in part.values if pair.key == 'stamp_offset_s'))
    assert -3610 < offset_s < -3590


def test_missing_stamps_are_a_warning(start_fake, client):
    start_fake()
    heard = client.listen(DiagnosticArray, '/diagnostics')
    show_until_answered(client, stamp_ns=0)
    part = camera_part(client, heard, lambda part: 'stamps are missing' in part.message)
    assert part.level == DiagnosticStatus.WARN


def test_an_unchanged_view_is_answered_under_the_header_of_the_newest_frame(start_fake, client):
    start_fake(look='on_change', captions='false')
    first = show_until_answered(client).answer
    stamps = []

    def confirmed():
        stamps.append(client.show(50))
        answer = client.ask(max_age=ANY_AGE).answer
        timing = answer.timing
        unchanged = timing.unchanged_ms > 0 and timing.encode_ms == 0
        return answer if unchanged and stamp_to_ns(answer.header.stamp) in stamps else None

    answer = client.wait(confirmed)
    assert answer.header.stamp != first.header.stamp
    again = client.ask(frame=Query.STAMP, stamp=answer.header.stamp)
    assert again.status.code == Status.OK
    assert again.answer.header.stamp == answer.header.stamp


def test_captions_of_an_unchanged_view_go_on_under_its_newest_header(start_fake, client):
    start_fake(caption_heartbeat_s=0.2, caption_period_s=0.0)
    captions = client.listen(Caption, 'vlm_node/caption')

    def repeated():
        client.show(50)
        client.spin(0.1)
        return next((c for c in captions if c.reason == Caption.HEARTBEAT), None)

    caption = client.wait(repeated)
    assert caption.timing.unchanged_ms > 0
    assert caption.header.stamp != captions[0].header.stamp


def test_a_clock_that_stands_still_holds_up_no_deadline_and_is_named(
    start_fake, client, processes
):
    start_fake(use_sim_time='true')
    heard = client.listen(DiagnosticArray, '/diagnostics')
    show_until_answered(client)
    began = time.monotonic()
    response = client.ask(frame=Query.NEXT, deadline=seconds(0.5))
    assert response.status.code in (Status.NO_IMAGE, Status.DEADLINE)
    assert time.monotonic() - began >= 0.5

    def named():
        client.show(50)
        client.spin(0.2)
        parts = [s for report in heard for s in report.status if s.name.endswith(': clock')]
        return next((part for part in parts if '/clock has not moved' in part.message), None)

    assert client.wait(named).level == DiagnosticStatus.WARN
    assert processes.log.read_text().count('/clock has not moved') == 1
