"""vlm_node over DDS, with a fake model that tells how bright an image is."""

import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Duration
from lifecycle_msgs.srv import GetState
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.msg import Caption, Query, Status
from mobilevlm_ros.nodes.conversions import stamp_to_ns
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros

LEADS_TO = {
    'configure': 'inactive', 'activate': 'active', 'deactivate': 'inactive',
    'cleanup': 'unconfigured', 'unconfigured_shutdown': 'finalized',
    'active_shutdown': 'finalized',
}  # fmt: skip


def test_an_answer_carries_the_header_of_its_image(start_fake, client):
    start_fake()
    stamp_ns = client.show(80, frame_id='left_eye')
    response = client.answer(question='Is it dark?')
    answer = response.answer
    assert (response.status.code, response.status.message) == (Status.OK, '')
    assert answer.text == 'Is it dark? brightness 80'
    assert stamp_to_ns(answer.header.stamp) == stamp_ns
    assert (answer.header.frame_id, answer.camera, answer.question) == (
        'left_eye', 'camera', 'Is it dark?',
    )  # fmt: skip
    assert (answer.finish_reason, answer.model, answer.choice) == ('stop', 'fake', -1)
    assert 0 < answer.timing.image_age_ms < 60_000
    assert answer.timing.visual_tokens and answer.timing.generated_tokens


def test_before_the_first_image_and_for_unknown_cameras(start_fake, client):
    start_fake()
    response = client.ask()
    assert response.status.code == Status.NO_IMAGE
    assert 'nobody publishes /image' in response.status.message
    response = client.ask(camera='rear')
    assert response.status.code == Status.UNKNOWN_CAMERA
    assert "'rear'" in response.status.message and 'camera' in response.status.message


def test_refused_questions_say_why_and_the_next_one_is_answered(start_fake, client):
    start_fake()
    client.show(10)
    client.answer()
    for status, word, fields in (
        (Status.INVALID, 'empty', {'question': '  '}),
        (Status.TOO_LONG, 'room for', {'question': 'why ' * 5000}),
        (Status.INVALID, 'choices', {'choices': ['yes']}),
        (Status.INVALID, 'temperature', {'temperature': -1.0}),
    ):
        response = client.ask(**fields)
        assert response.status.code == status and word in response.status.message
        assert response.answer.text == ''
    assert client.ask().status.code == Status.OK


def test_an_image_older_than_max_age_is_stale(start_fake, client):
    start_fake()
    client.show(10, stamp_ns=client.node.get_clock().now().nanoseconds - 5_000_000_000)
    assert client.answer().status.code == Status.OK
    response = client.ask(max_age=Duration(sec=2))
    assert response.status.code == Status.STALE and 'max_age' in response.status.message
    assert client.ask(max_age=Duration(sec=3600)).status.code == Status.OK


def test_the_newest_frame_wins(start_fake, client):
    start_fake(look_rate_hz=1.0)
    client.show(1)
    client.answer()
    for grey in range(2, 40):
        stamp_ns = client.show(grey)
    client.settle()
    answer = client.ask(frame=Query.NEWEST).answer
    assert (answer.text, stamp_to_ns(answer.header.stamp)) == ('Well? brightness 39', stamp_ns)


def test_concurrent_questions_are_all_answered_each_its_own(start_fake, client):
    start_fake(queue_size=100)
    client.show(50)
    client.answer()
    futures = {f'Number {i}?': client.send(f'Number {i}?') for i in range(100)}
    client.wait(lambda: all(future.done() for future in futures.values()))
    for question, future in futures.items():
        assert future.result().status.code == Status.OK
        assert future.result().answer.text == f'{question} brightness 50'


def test_more_questions_than_the_queue_holds_are_told_that_it_is_busy(start_slow, client):
    start_slow('answering', queue_size=4)
    futures = [client.send() for _ in range(40)]
    client.wait(lambda: sum(future.done() for future in futures) == 36)
    codes = {future.result().status.code for future in futures if future.done()}
    assert codes == {Status.BUSY}


def test_captions_come_unasked_with_the_header_of_their_image(start_fake, client):
    start_fake(look='always', caption_period_s=0.2, caption_change=0.0)
    captions = client.listen(Caption, 'vlm_node/caption')
    stamps = set()

    def two_captions():
        stamps.add(client.show(70, frame_id='eye'))
        client.spin(0.05)
        return len(captions) > 1

    client.wait(two_captions)
    caption = captions[-1]
    assert caption.text == 'Describe the scene. brightness 70'
    assert (caption.camera, caption.reason) == ('camera', Caption.RATE)
    assert caption.header.frame_id == 'eye'
    assert stamp_to_ns(caption.header.stamp) in stamps


def test_several_cameras_are_told_apart(start_fake, client):
    start_fake(cameras="['front', 'rear']")
    client.show(20, topic='front/image')
    client.show(200, topic='rear/image')
    assert client.answer().answer.text == 'Well? brightness 20'
    rear = client.answer(camera='rear').answer
    assert (rear.text, rear.camera) == ('Well? brightness 200', 'rear')


def test_broken_images_are_named_and_do_no_harm(start_fake, client, processes):
    start_fake()
    for message, reason in (
        (Image(encoding='32FC1', height=2, width=2, step=8, data=bytes(16)), 'depth image'),
        (Image(encoding='rgb8', height=2, width=2, step=6, data=bytes(3)), 'truncated'),
    ):

        def logged(message=message, reason=reason):
            client.publish(message)
            client.spin(0.1)
            return reason in processes.log.read_text()

        client.wait(logged)
    response = client.ask()
    assert response.status.code == Status.INVALID and 'truncated' in response.status.message
    client.show(30)
    client.wait(lambda: client.ask().answer.text == 'Well? brightness 30')


def compressed(samples, format):
    return CompressedImage(format=format, data=cv2.imencode('.png', samples)[1].tobytes())


def test_a_compressed_topic_says_what_its_images_are(start_fake, client):
    start_fake(**{'camera.transport': 'compressed'})
    depth = np.full((16, 16), 1500, np.uint16)
    client.publish(compressed(depth, '16UC1; png compressed '), 'image/compressed')
    status = client.answer().status
    assert status.code == Status.INVALID and "'16UC1' is a depth image" in status.message
    grey = compressed(depth, 'mono16; png compressed ')  # of brightness 1500 / 257

    def answered():
        client.publish(grey, 'image/compressed')
        return client.ask(frame=Query.NEWEST).answer.text == 'Well? brightness 6'

    client.wait(answered)


def test_lifecycle(start_fake, client):
    start_fake(autostart='false')
    assert client.ask().status.code == Status.NOT_ACTIVE
    assert client.transition('configure')
    response = client.ask()
    assert response.status.code == Status.NOT_ACTIVE and 'activate' in response.status.message
    assert client.transition('activate')
    client.show(60)
    assert client.answer().answer.text == 'Well? brightness 60'
    assert client.transition('deactivate')
    assert client.ask().status.code == Status.NOT_ACTIVE
    assert client.transition('activate')
    client.show(90)
    assert client.answer().answer.text == 'Well? brightness 90'
    assert client.transition('deactivate')
    assert client.transition('cleanup')
    assert client.ask().status.code == Status.NOT_ACTIVE
    assert client.transition('configure') and client.transition('activate')
    client.show(120)
    assert client.answer().answer.text == 'Well? brightness 120'


@pytest.mark.parametrize(
    'transitions',
    [
        'configure activate deactivate cleanup unconfigured_shutdown',
        'configure activate deactivate activate deactivate cleanup configure activate',
        'configure activate active_shutdown',
    ],
    ids=['startup and shutdown', 'pause, resume and reset', 'shutdown while active'],
)
def test_it_follows_the_calls_of_nav2_s_lifecycle_manager(start_fake, client, transitions):
    start_fake(autostart='false')

    def state():
        return client.call(GetState, 'get_state', GetState.Request()).current_state.label

    assert state() == 'unconfigured'
    for transition in transitions.split():
        assert client.transition(transition) and state() == LEADS_TO[transition]


def test_nothing_from_before_a_deactivation_is_answered_about(start_fake, client):
    start_fake()
    client.show(60)
    client.answer()
    assert client.transition('deactivate') and client.transition('activate')
    assert client.ask().status.code == Status.NO_IMAGE


def test_a_bundle_that_cannot_be_loaded_ends_the_node_with_its_cause(start, processes):
    process = start('vlm_node', bundle='/nowhere')
    assert process.wait(PATIENCE_S) == 2
    assert '/nowhere' in processes.log.read_text()


def test_what_runs_the_vision_part_is_logged_with_the_reasons(start, client, processes):
    start('vlm_node')
    pattern = 'vision encoder: .*; not tensorrt'
    client.wait(lambda: re.search(pattern, processes.log.read_text()))


def test_an_encoder_that_is_forced_and_cannot_be_had_ends_the_node(start, processes):
    process = start('vlm_node', encoder='tensorrt')
    assert process.wait(PATIENCE_S) == 2
    assert 'tensorrt' in processes.log.read_text()


def test_more_cameras_than_held_frames_are_refused(start_fake, processes):
    assert start_fake(cameras="['a', 'b']", held_frames=1).wait(PATIENCE_S) == 2
    assert 'held_frames' in processes.log.read_text()


def test_a_failed_configure_is_logged_and_can_be_tried_again(start, client, processes):
    start('vlm_node', bundle='/nowhere', autostart='false')
    for _ in range(2):
        assert not client.transition('configure')
    assert processes.log.read_text().count('/nowhere') == 2


def test_the_node_needs_no_torch(tmp_path):
    program = 'import sys, mobilevlm_ros.nodes.vlm_node; sys.exit("torch" in sys.modules)'
    subprocess.run([sys.executable, '-c', program], cwd=tmp_path, check=True)
