"""Keyword arguments to a Query."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rclpy.time
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from mobilevlm_ros.client import BadValueError
from mobilevlm_ros.client.query import make_query
from mobilevlm_ros.msg import Query

STAMP_NS = 3_000_000_007
STAMP = Time(sec=3, nanosec=7)


def query(deadline_s=1.0, **fields):
    return make_query('What is ahead?', deadline_s, fields)


def test_a_question_alone_is_about_an_image_of_two_seconds_at_most():
    assert query() == Query(
        question='What is ahead?', deadline=Duration(sec=1), max_age=Duration(sec=2)
    )


@pytest.mark.parametrize(
    ('max_age', 'duration'),
    [
        (0, Duration()),
        (0.5, Duration(nanosec=500_000_000)),
        (np.float32(1.5), Duration(sec=1, nanosec=500_000_000)),
        (1e-12, Duration(nanosec=1)),  # zero would be the node's default
        (math.inf, Duration(sec=2**31 - 1)),
    ],
)
def test_max_age_is_in_seconds(max_age, duration):
    assert query(max_age=max_age).max_age == duration


def test_an_image_that_is_named_may_be_of_any_age():
    """The node takes no `max_age` with `image`."""
    assert query(image=b'jpeg').max_age == query(frame='STAMP', stamp=STAMP).max_age == Duration()
    assert query(frame='STAMP', stamp=STAMP, max_age=3).max_age == Duration(sec=3)


@pytest.mark.parametrize('max_age', [-1, math.nan, -math.inf, 1e10, None, '2', Duration(sec=1)])
def test_an_age_that_cannot_be_is_named(max_age):
    with pytest.raises(BadValueError, match='max_age'):
        query(max_age=max_age)


@pytest.mark.parametrize('deadline_s', [0, -1, 1e-6, math.nan, math.inf, 1e10, None, '1', [1]])
def test_a_deadline_that_cannot_be_is_named(deadline_s):
    with pytest.raises(BadValueError, match='deadline_s'):
        query(deadline_s)


def test_a_deadline_has_one_name():
    with pytest.raises(BadValueError, match='give deadline_s, in seconds'):
        query(deadline=5)


@pytest.mark.parametrize('frame', [Query.NEXT, 'NEXT', 'next', np.uint8(2)])
def test_a_frame_is_given_by_number_or_name(frame):
    assert query(frame=frame).frame == Query.NEXT


@pytest.mark.parametrize('frame', [4, -1, 'latest', '', 2.0, None, True])
def test_a_frame_that_there_is_not_is_named(frame):
    with pytest.raises(BadValueError, match='frame'):
        query(frame=frame)


@pytest.mark.parametrize(
    'stamp', [STAMP, STAMP_NS, np.int64(STAMP_NS), rclpy.time.Time(nanoseconds=STAMP_NS)]
)
def test_a_stamp_is_a_time_or_nanoseconds(stamp):
    assert query(frame='STAMP', stamp=stamp).stamp == STAMP


@pytest.mark.parametrize('stamp', [3.5, '3', None, -1, 2**63, Time(sec=0.5), Duration()])
def test_a_stamp_that_cannot_be_is_named(stamp):
    with pytest.raises(BadValueError, match='stamp'):
        query(stamp=stamp)


@pytest.mark.parametrize('roi', [(1, 2, 30, 40), [1, 2, 30, 40], np.array([1, 2, 30, 40])])
def test_a_region_may_be_four_numbers(roi):
    expected = RegionOfInterest(x_offset=1, y_offset=2, width=30, height=40)
    assert query(roi=roi).roi == query(roi=expected).roi == expected


@pytest.mark.parametrize(
    'roi', [(1, 2, 30), (1, 2, 30, 40, 5), (1.5, 2, 30, 40), (-1, 2, 30, 40), 'abcd', None, 7]
)
def test_a_region_that_cannot_be_is_named(roi):
    with pytest.raises(BadValueError, match='roi'):
        query(roi=roi)


def test_an_image_may_be_bytes():
    assert bytes(query(image=b'jpeg').image.data) == b'jpeg'
    assert bytes(query(image=CompressedImage(data=b'jpeg', format='jpeg')).image.data) == b'jpeg'


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (b'', 'image is empty'),
        (CompressedImage(), 'image is empty'),
        ('photo.jpg', 'image must be a CompressedImage or the bytes of a JPEG or PNG file'),
        (Path('photo.jpg'), 'image must be'),
        (np.zeros((4, 4, 3), np.uint8), 'image must be'),
        (None, 'image must be'),
        (CompressedImage(data=b'jpeg', format=5), 'image.format must be a str'),
    ],
    ids=lambda value: '',
)
def test_an_image_that_cannot_be_is_named(image, message):
    with pytest.raises(BadValueError, match=message):
        query(image=image)


def test_fields_that_there_are_not_are_named():
    with pytest.raises(BadValueError, match='no field colour, size; there is question, camera'):
        query(size=3, colour='red')


SENDS_WHATEVER_IS_TAKEN = """
import math
from array import array

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, RegionOfInterest

from mobilevlm_ros.client import BadValueError
from mobilevlm_ros.client.query import FIELDS, make_query
from mobilevlm_ros.msg import Query

VALUES = [
    0, 1, -1, 3, 255, 256, 2**31, 2**32, 2**64, 10**400, 0.0, 0.5, -0.5, 1e39, 1e300, 1e-300,
    math.nan, math.inf, -math.inf, True, None, 1j, '', 'yes', 'NEXT', '\\0', '\\udc80', b'',
    b'yes', [], ['yes', 'no'], ['yes', 1], [b'yes'], ['\\0'], (1, 2, 3, 4), {1: 2}, {'yes'},
    object(), np.float16(1), np.float64(1), np.int8(-1), np.uint64(2**63), np.bool_(True),
    np.array(1), np.array(1.5), np.array([1.5]), np.array(['yes']), np.zeros((2, 2)),
    array('B', b'a'), memoryview(b'abc')[::2], Time(sec=1), Time(sec='1'), Time(nanosec=2**32),
    Duration(sec=-1), RegionOfInterest(width=-1), CompressedImage(data=b'abc'),
    CompressedImage(format=5),
]
taken = 0
for name in ('deadline_s', *FIELDS):
    for value in VALUES:
        values = {'question': 'Well?', 'deadline_s': 1.0, 'fields': {}}
        (values if name in values else values['fields'])[name] = value
        try:
            query = make_query(**values)
        except BadValueError as error:
            assert name in str(error), (name, value, error)
            continue
        taken += 1
        received = deserialize_message(serialize_message(query), Query)
        kept = [field for field, kind in FIELDS.items() if kind != 'float']
        for field in kept:
            assert getattr(received, field) == getattr(query, field), (field, value)
print(taken)
"""


def test_whatever_is_taken_can_be_sent():
    """In a process of its own: a message with a value of a wrong type ends it."""
    run = subprocess.run(
        [sys.executable, '-c', SENDS_WHATEVER_IS_TAKEN], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (0, '')
    assert int(run.stdout) > 60
