"""Values of any kind, as fields take them or with an error that names the field."""

from array import array
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, RegionOfInterest
from std_msgs.msg import Header

from mobilevlm_ros.client import BadValueError
from mobilevlm_ros.client.fields import binary, fitted, items, real, text, texts, whole

NAN = float('nan')


class Word(str, Enum):
    YES = 'yes'


class Number(IntEnum):
    TWO = 2


class Unspeakable:
    def __repr__(self):
        raise RuntimeError


class Unreadable:
    @property
    def ndim(self):
        raise RuntimeError('of its own')


class Broken(list):
    def __iter__(self):
        raise RuntimeError('of its own')


class Incomparable(int):
    def __le__(self, other):
        raise RuntimeError('of its own')

    __ge__ = __le__


def closed():
    view = memoryview(b'abc')
    view.release()
    return view


def kind_of(value):
    return type(value).__name__


@pytest.mark.parametrize('value', ['', 'yes', 'größer 猫 🐈', np.str_('yes'), Word.YES])
def test_texts_become_plain_str(value):
    assert type(text(value, 'camera')) is str
    assert text(value, 'camera') == value


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (b'front', "camera must be a str, not b'front' of type bytes"),
        (None, 'camera must be a str, not None of type NoneType'),
        (7, 'camera must be a str, not 7 of type int'),
        (['front'], r"camera must be a str, not \['front'\] of type list"),
        (np.array('front'), 'camera must be a str, not .* of type ndarray'),
        ('front\0', 'camera has a NUL character'),
        ('\udc80', r"camera must be valid Unicode, not '\\udc80'"),
        (Unspeakable(), 'camera must be a str, not .* of type Unspeakable'),
    ],
    ids=kind_of,
)
def test_what_is_no_text_is_named(value, message):
    with pytest.raises(BadValueError, match=message):
        text(value, 'camera')


def test_a_long_value_is_shown_in_short():
    with pytest.raises(BadValueError) as caught:
        text(b'x' * 10**6, 'camera')
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize('value', [2, np.uint8(2), np.int64(2), np.array(2), Number.TWO])
def test_whole_numbers_become_plain_int(value):
    assert type(whole(value, 'seed', 0, 9)) is int
    assert whole(value, 'seed', 0, 9) == 2


@pytest.mark.parametrize(
    'value', [2.0, np.float64(2), '2', b'2', None, True, np.bool_(True), np.array([2]), [2], 2j]
)
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(BadValueError, match=r'seed must be a whole number, not .* of type'):
        whole(value, 'seed', 0, 9)


@pytest.mark.parametrize('value', [-1, 10, 10**5000, np.int64(-1), np.uint64(2**63)], ids=kind_of)
def test_whole_numbers_out_of_range_are_named(value):
    with pytest.raises(BadValueError, match=r'seed is .*; it must be in \[0, 9\]'):
        whole(value, 'seed', 0, 9)


@pytest.mark.parametrize(
    'value', [0, 0.0, np.float16(0), np.float32(0), np.int8(0), np.array(0.0), Fraction(0)]
)
def test_numbers_become_plain_float(value):
    assert type(real(value, 'top_p')) is float
    assert real(value, 'top_p') == 0


@pytest.mark.parametrize(
    'value',
    [
        '0.5', b'0', None, True, [0.5], np.array([0.5]), 1j, Decimal('0.5'),
        np.timedelta64(500, 'ns'), np.array(np.timedelta64(500)), np.datetime64(1, 'ns'),
        np.ma.masked,
    ],
)  # fmt: skip
def test_what_is_no_number_is_named(value):
    with pytest.raises(BadValueError, match=r'top_p must be a number, not .* of type'):
        real(value, 'top_p')


@pytest.mark.parametrize(
    'value', [NAN, float('inf'), -float('inf'), 1e39, 10**400, np.float32('nan'), np.array(NAN)]
)
def test_numbers_that_a_field_cannot_hold_are_named(value):
    with pytest.raises(BadValueError, match=r'top_p is .*; it must be finite'):
        real(value, 'top_p')


@pytest.mark.parametrize(
    'value', [['yes', 'no'], ('yes', 'no'), {'yes': 1, 'no': 2}.keys(), np.array(['yes', 'no'])]
)
def test_lists_may_be_of_several_kinds(value):
    assert fitted(value, 'sequence<string>', 'choices', []) == ['yes', 'no']


@pytest.mark.parametrize(
    'value', ['yes', b'yes', None, 7, {'yes': 1}, iter(['yes']), np.array('yes')], ids=kind_of
)
def test_what_is_no_list_is_named(value):
    with pytest.raises(BadValueError, match=r'stop must be a list of str, not .* of type'):
        items(value, 'stop', 'a list of str')


@pytest.mark.parametrize('value', [['yes', 1], ['yes', None], ['yes', b'no'], [['yes'], 'no']])
def test_an_item_that_is_no_text_is_named(value):
    with pytest.raises(BadValueError, match=r'choices\[[01]\] must be a str'):
        fitted(value, 'sequence<string>', 'choices', [])


@pytest.mark.parametrize(
    'value', [b'abc', bytearray(b'abc'), array('B', b'abc'), np.frombuffer(b'abc', np.uint8)]
)
def test_bytes_may_be_of_several_kinds(value):
    assert binary(value, 'data') == array('B', b'abc')


@pytest.mark.parametrize(
    'value', ['abc', None, 3, [1, 2], np.zeros((2, 2), np.uint8), np.zeros(3, np.float32)]
)
def test_what_is_no_row_of_bytes_is_named(value):
    with pytest.raises(BadValueError, match=r'data must be bytes, not .* of type'):
        binary(value, 'data')


def fit(message):
    return fitted(message, '', 'field', type(message)())


def test_a_message_is_copied_with_plain_values():
    header = Header(stamp=Time(sec=np.int32(3)), frame_id=np.str_('lens'))
    found = fit(CompressedImage(header=header, format='jpeg', data=b'abc'))
    stamp = found.header.stamp
    assert (type(stamp.sec), stamp.sec, found.header.frame_id) == (int, 3, 'lens')
    assert found.data == array('B', b'abc')


@pytest.mark.parametrize(
    ('message', 'name'),
    [
        (Time(sec=2**31), 'field.sec'),
        (Time(nanosec=-1), 'field.nanosec'),
        (Time(sec=0.5), 'field.sec'),
        (RegionOfInterest(width='10'), 'field.width'),
        (RegionOfInterest(do_rectify=1), 'field.do_rectify'),
        (CompressedImage(header=None), 'field.header'),
        (CompressedImage(header=Header(frame_id=5)), 'field.header.frame_id'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_a_field_within_a_message_is_named(message, name):
    with pytest.raises(BadValueError, match=rf'^{name} '):
        fit(message)


@pytest.mark.parametrize('convert', [
    lambda: real(Unreadable(), 'field'),
    lambda: real(Incomparable(3), 'field'),
    lambda: whole(Incomparable(3), 'field', 0, 9),
    lambda: whole(closed(), 'field', 0, 9),
    lambda: items(Broken(), 'field', 'a list'),
    lambda: texts(closed(), 'field'),
])  # fmt: skip
def test_a_value_that_raises_while_it_is_read_is_named(convert):
    with pytest.raises(BadValueError, match=r'^field cannot be read: its type \w+ raises \w+'):
        convert()


@pytest.mark.parametrize('value', [closed(), np.zeros(3, 'M8[ns]')], ids=kind_of)
def test_bytes_that_nobody_gives_out_are_named(value):
    with pytest.raises(BadValueError, match=r'^image must be bytes, not '):
        binary(value, 'image')


def test_a_bad_value_is_what_python_calls_it():
    for kind in (ValueError, TypeError):
        with pytest.raises(kind):
            text(None, 'camera')
