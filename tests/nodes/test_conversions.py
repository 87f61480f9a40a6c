"""Messages to values and back."""

import dataclasses
import io
import math
from importlib.resources import files

import numpy as np
import pytest
from builtin_interfaces.msg import Duration, Time
from PIL import Image as Picture
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

import mobilevlm_ros.engine as engine
from mobilevlm_ros.engine import (
    Answer,
    ImageError,
    MobileVlmError,
    Question,
    QuestionError,
    Timing,
)
from mobilevlm_ros.engine.change import Reason
from mobilevlm_ros.msg import Caption, Query, Status
from mobilevlm_ros.nodes import errors
from mobilevlm_ros.nodes.conversions import (
    answer_to_message,
    answer_to_status,
    caption_to_message,
    compressed_to_frame,
    error_to_status,
    image_to_frame,
    query_to_question,
    rgb_to_image,
)

STAMP = Time(sec=1_700_000_000, nanosec=123_456_789)
STAMP_NS = 1_700_000_000_123_456_789


def pixels():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_an_image_survives_the_way_there_and_back():
    frame = image_to_frame(rgb_to_image(pixels(), STAMP, 'lens'), 'front')
    assert np.array_equal(frame.pixels, pixels())
    assert (frame.stamp_ns, frame.frame_id, frame.camera) == (STAMP_NS, 'lens', 'front')


def test_an_rgb8_image_is_not_copied():
    message = rgb_to_image(pixels(), STAMP, '')
    assert np.shares_memory(image_to_frame(message).pixels, np.frombuffer(message.data, np.uint8))


def test_a_broken_image_is_an_image_error():
    with pytest.raises(ImageError, match='truncated'):
        image_to_frame(Image(encoding='bgr8', height=4, width=4, step=12, data=bytes(47)))


def compressed(kind):
    stream = io.BytesIO()
    Picture.fromarray(pixels()).save(stream, kind)
    message = CompressedImage(format=kind.lower(), data=stream.getvalue())
    message.header.stamp, message.header.frame_id = STAMP, 'lens'
    return message


def test_compressed_images_are_decoded():
    frame = compressed_to_frame(compressed('PNG'), 'front')
    assert np.array_equal(frame.pixels, pixels())
    assert (frame.stamp_ns, frame.frame_id, frame.camera) == (STAMP_NS, 'lens', 'front')
    assert compressed_to_frame(compressed('JPEG')).pixels.shape == (20, 30, 3)


@pytest.mark.parametrize('name', ['chelsea.png', 'coins.png', 'rocket.jpg'])
def test_compressed_photographs_are_those_of_the_cv_bridge_that_is_installed(name):
    cv_bridge = pytest.importorskip('cv_bridge')
    data = files('skimage').joinpath('data', name).read_bytes()
    message = CompressedImage(format=name[-3:], data=data)
    expected = cv_bridge.CvBridge().compressed_imgmsg_to_cv2(message, 'rgb8')
    difference = compressed_to_frame(message).pixels.astype(int) - expected
    assert np.abs(difference).max() <= (name.endswith('jpg') and 2)  # by the version of libjpeg


def test_broken_compressed_images_are_image_errors():
    message = compressed('JPEG')
    message.data = bytes(message.data[: len(message.data) // 2])
    with pytest.raises(ImageError):
        compressed_to_frame(message)


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_refused_alike_raw_and_compressed(encoding):
    raw = Image(encoding=encoding, height=1, width=1, step=4, data=bytes(4))
    with pytest.raises(ImageError, match=f'{encoding!r} is a depth image'):
        image_to_frame(raw)
    message = compressed('PNG')
    message.format = f'{encoding}; png compressed '
    with pytest.raises(ImageError, match=f'{encoding!r} is a depth image'):
        compressed_to_frame(message)


def test_a_mosaic_has_the_same_colours_raw_and_compressed():
    mosaic = pixels()[..., 0]
    stream = io.BytesIO()
    Picture.fromarray(mosaic).save(stream, 'PNG')
    message = CompressedImage(format='bayer_grbg8; png compressed ', data=stream.getvalue())
    height, width = mosaic.shape
    raw = Image(encoding='bayer_grbg8', height=height, width=width, step=width)
    raw.data = mosaic.tobytes()
    assert np.array_equal(compressed_to_frame(message).pixels, image_to_frame(raw).pixels)


def test_a_query_becomes_a_question():
    query = Query(
        question='Who is there?', max_tokens=7, temperature=0.5, top_p=0.25, seed=3,
        stop=['.', '!'], max_age=Duration(sec=1, nanosec=500_000_000), deadline=Duration(sec=2),
    )  # fmt: skip
    assert query_to_question(query) == Question(
        'Who is there?', 7, 0.5, 0.25, 3, ('.', '!'), max_age_s=1.5, deadline_s=2.0
    )


def test_every_field_that_says_what_is_asked_reaches_the_question():
    roi = RegionOfInterest(x_offset=1, y_offset=2, width=3, height=4)
    query = Query(
        question='Well?', choices=['yes', 'no'], min_probability=0.5, session='tour', roi=roi,
        priority=7,
    )  # fmt: skip
    question = query_to_question(query)
    assert (question.choices, question.min_probability) == (('yes', 'no'), 0.5)
    assert (question.session, question.roi) == ('tour', (1, 2, 3, 4))
    assert query_to_question(Query(question='Well?', repeat_penalty=1.5)).repeat_penalty == 1.5
    assert question.priority < query_to_question(Query(question='Well?')).priority


def test_zeros_mean_what_the_node_was_told():
    defaults = Question('x', max_tokens=9, temperature=0.7, max_age_s=2.0)
    question = query_to_question(Query(question='Well?', max_tokens=5), defaults)
    assert (question.max_tokens, question.temperature, question.max_age_s) == (5, 0.7, 2.0)
    assert question.text == 'Well?'


@pytest.mark.parametrize('fields', [
    {'question': ''}, {'question': ' \n'}, {'frame': 9}, {'roi': RegionOfInterest(width=5)},
    {'choices': ['yes', 'no'], 'json_schema': '{}'},
    {'max_age': Duration(sec=-1)}, {'deadline': Duration(sec=-1)},
    {'temperature': -0.1}, {'temperature': 2.5}, {'temperature': math.nan},
    {'top_p': 1.5}, {'top_p': -1.0},
])  # fmt: skip
def test_values_out_of_range_are_refused(fields):
    with pytest.raises(QuestionError):
        query_to_question(Query(**{'question': 'Well?', **fields}))


def an_answer():
    timing = Timing(1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 64, 20, 80, 3)
    return Answer('a box', 'What?', 'stop', timing, STAMP_NS, 'front', 'lens', 'nano', 'b')


def test_an_answer_becomes_a_message_with_every_timing():
    message = answer_to_message(an_answer())
    assert (message.header.stamp, message.header.frame_id) == (STAMP, 'lens')
    assert (message.text, message.question, message.camera) == ('a box', 'What?', 'front')
    assert (message.finish_reason, message.model, message.backend) == ('stop', 'nano', 'b')
    assert (message.choice, list(message.choices), message.abstained) == (-1, [], False)
    chosen = dataclasses.replace(
        an_answer(), choices=('a', 'b'), probabilities=(0.25, 0.75), choice=1, session='tour'
    )
    message = answer_to_message(chosen)
    assert (list(message.choices), list(message.probabilities)) == (['a', 'b'], [0.25, 0.75])
    assert (message.choice, message.session) == (1, 'tour')
    for name, value in dataclasses.asdict(an_answer().timing).items():
        assert getattr(message.timing, name) == value


def test_a_stamp_that_no_message_can_hold_becomes_the_last_one():
    late = Image(width=1, height=1, step=3, encoding='rgb8', data=bytes(3))
    late.header.stamp = Time(sec=2**31 - 1, nanosec=2**32 - 1)
    frame = image_to_frame(late)
    message = answer_to_message(dataclasses.replace(an_answer(), stamp_ns=frame.stamp_ns))
    stamp = message.header.stamp
    assert (stamp.sec, stamp.nanosec) == (2**31 - 1, 999_999_999)


def test_an_answer_becomes_a_caption():
    message = caption_to_message(engine.Caption(an_answer(), Reason.CHANGE, 0.25))
    assert (message.header.stamp, message.header.frame_id) == (STAMP, 'lens')
    assert (message.text, message.camera) == ('a box', 'front')
    assert (message.reason, message.change) == (Caption.CHANGE, 0.25)


@pytest.mark.parametrize('reason, code', [
    ('deadline', Status.DEADLINE), ('cancelled', Status.CANCELLED),
])  # fmt: skip
def test_an_answer_that_was_cut_short_says_so(reason, code):
    assert answer_to_status(an_answer()) == Status(code=Status.OK)
    status = answer_to_status(dataclasses.replace(an_answer(), finish_reason=reason))
    assert status.code == code and 'by then' in status.message


def test_every_error_has_a_status():
    kinds = [value for module in (engine, errors) for value in vars(module).values()
             if isinstance(value, type) and issubclass(value, MobileVlmError)]  # fmt: skip
    assert len(kinds) > 10
    for kind in kinds:
        status = error_to_status(kind('why'))
        assert status.code == getattr(Status, kind.code) != Status.OK
        assert status.message == 'why'
