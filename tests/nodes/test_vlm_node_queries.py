"""Every way to ask vlm_node, over DDS, with a fake model that tells how bright an image is."""

import cv2
import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from mobilevlm_ros.msg import Answer, Query, Scene, Status
from mobilevlm_ros.nodes.conversions import ns_to_stamp, stamp_to_ns
from tests.nodes.streamed import Streams

pytestmark = pytest.mark.ros


def jpeg(grey):
    _, data = cv2.imencode('.png', np.full((16, 16, 3), grey, np.uint8))
    return CompressedImage(format='png', data=data.tobytes())


@pytest.fixture
def asked(start_fake, client):
    """A vlm_node that has seen an image of brightness 50."""
    start_fake(captions='false', active_questions=4)
    client.show(50)
    client.answer()
    return client


def test_a_choice_comes_with_probabilities_that_add_up_to_one(asked):
    response = asked.ask(choices=['bright', 'dark'])
    answer = response.answer
    assert response.status.code == Status.OK and list(answer.choices) == ['bright', 'dark']
    assert sum(answer.probabilities) == pytest.approx(1)
    assert answer.finish_reason == 'choice'
    assert answer.text == answer.choices[answer.choice]


def test_below_the_least_probability_it_abstains(asked):
    answer = asked.ask(choices=['same', 'sand'], min_probability=0.99).answer
    assert answer.abstained and answer.choice == -1
    assert list(answer.probabilities) == pytest.approx([0.5, 0.5])


def test_an_image_sent_along_is_asked_about_and_not_kept(asked):
    assert asked.ask(image=jpeg(200)).answer.text == 'Well? brightness 200'
    assert asked.ask().answer.text == 'Well? brightness 50'


def test_an_image_that_is_none_is_refused(asked):
    response = asked.ask(image=CompressedImage(format='png', data=b'not an image'))
    assert response.status.code == Status.INVALID


@pytest.mark.parametrize('format, message', [
    ('16UC1; png compressed ', "'16UC1' is a depth image; send a colour image"),
    ('nonsense; jpeg compressed bgr8', "image encoding 'nonsense' is not supported"),
])  # fmt: skip
def test_an_image_whose_format_is_refused_is_not_answered_about(asked, format, message):
    image = jpeg(200)
    image.format = format
    status = asked.ask(image=image).status
    assert status.code == Status.INVALID and message in status.message


def test_a_region_is_asked_about(asked):
    roi = RegionOfInterest(x_offset=4, y_offset=4, width=8, height=8)
    assert asked.ask(roi=roi).answer.text == 'Well? brightness 50'
    outside = RegionOfInterest(x_offset=40, y_offset=4, width=8, height=8)
    assert asked.ask(roi=outside).status.code == Status.INVALID


def test_the_next_frame_is_one_that_came_after_the_question(asked):
    future = asked.send(frame=Query.NEXT, deadline=Duration(sec=600))
    asked.settle()
    assert not future.done()
    stamp_ns = asked.show(90)
    asked.wait(future.done)
    answer = future.result().answer
    assert (answer.text, stamp_to_ns(answer.header.stamp)) == ('Well? brightness 90', stamp_ns)


def test_a_next_frame_that_does_not_come_is_no_image(start_fake, client):
    start_fake(**{'camera.silent_after_s': 0.3})
    response = client.ask(frame=Query.NEXT)
    assert response.status.code == Status.NO_IMAGE
    assert 'came within 0.3 s' in response.status.message


def test_a_frame_is_asked_for_by_its_stamp(asked):
    held = asked.ask().answer.header.stamp
    assert asked.ask(frame=Query.STAMP, stamp=held).status.code == Status.OK
    response = asked.ask(frame=Query.STAMP, stamp=ns_to_stamp(12345))
    assert response.status.code == Status.NO_IMAGE


def test_a_conversation_goes_on(asked):
    first, second = (asked.ask(question=q, session='tour').answer for q in ('One?', 'Two?'))
    assert first.session == second.session == 'tour'
    assert second.timing.reused_tokens > first.timing.reused_tokens


def test_a_conversation_without_a_camera_keeps_to_the_age_that_the_camera_allows(
    start_fake, client
):
    start_fake(captions='false', max_age_s=0.0, **{'camera.max_age_s': 0.5})
    client.show(50)
    client.answer()
    client.spin(0.6)
    assert client.ask(session='tour').status.code == Status.STALE


def test_a_conversation_may_be_about_the_newest_image_of_the_only_camera(asked):
    stamp_ns = asked.show(90)
    asked.settle()
    answer = asked.ask(session='tour', frame=Query.NEWEST).answer
    assert stamp_to_ns(answer.header.stamp) == stamp_ns


def test_of_several_cameras_a_conversation_has_to_name_one_for_its_newest_image(
    start_fake, client
):
    start_fake(captions='false', cameras="['front', 'rear']")
    response = client.ask(session='tour', frame=Query.NEWEST)
    assert response.status.code == Status.INVALID
    for word in ('frame', 'session', 'camera', 'front, rear'):
        assert word in response.status.message


def test_fields_that_clash_are_refused_and_the_next_question_is_answered(asked):
    response = asked.ask(choices=['yes', 'no'], temperature=0.5)
    assert response.status.code == Status.INVALID
    assert 'choices' in response.status.message and 'temperature' in response.status.message
    assert asked.ask().status.code == Status.OK


def test_fields_out_of_range_are_named(asked):
    for word, fields in (
        ('frame', {'frame': 9}),
        ('min_probability', {'min_probability': 1.5, 'choices': ['a', 'b']}),
        ('both', {'choices': ['a', 'b'], 'json_schema': '{}'}),
    ):
        response = asked.ask(**fields)
        assert response.status.code == Status.INVALID and word in response.status.message


def test_everything_that_was_answered_is_published(asked):
    answers = asked.listen(Answer, 'vlm_node/answer')

    def heard():
        asked.ask()
        return answers

    asked.wait(heard)
    assert answers[-1].text == 'Well? brightness 50'


def test_pieces_of_a_stream_joined_are_its_text(asked):
    streamed = Streams(asked).send('Well?')
    # Before the result is asked for: rclpy drops the pieces that it overtakes.
    asked.wait(lambda: streamed.text() == 'Well? brightness 50')
    assert [piece.piece for piece in streamed.pieces] == list(range(len(streamed.pieces)))
    assert len(streamed.pieces) > 3
    done = streamed.result()
    assert (done.status, done.result.status.code) == (GoalStatus.STATUS_SUCCEEDED, Status.OK)
    assert done.result.answer.text == 'Well? brightness 50'


def test_a_stream_that_cannot_be_answered_is_aborted_with_the_reason(asked):
    done = Streams(asked).send(' ').result()
    assert (done.status, done.result.status.code) == (GoalStatus.STATUS_ABORTED, Status.INVALID)


@pytest.mark.parametrize('look', ['always', 'on_demand'])
def test_probes_are_answered_together_about_each_frame(start_fake, client, look):
    level = '{"question": "How bright?", "choices": ["bright", "dark"]}'
    probes = f'{{"level": {level}, "words": {{"question": "What else?"}}}}'
    start_fake(captions='false', look=look, probes=f"'{probes}'")
    scenes = client.listen(Scene, 'vlm_node/scene')
    stamps = set()

    def heard():
        stamps.add(client.show(60))
        client.spin(0.2)
        return scenes

    client.wait(heard)
    level, words = scenes[-1].findings
    assert (level.name, list(level.choices)) == ('level', ['bright', 'dark'])
    assert not level.abstained
    assert sum(level.probabilities) == pytest.approx(1)
    assert (words.name, words.value) == ('words', 'What else? brightness 60')
    assert stamp_to_ns(scenes[-1].header.stamp) in stamps
