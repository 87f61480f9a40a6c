"""What fuzzing goes by, and a short version of what `make fuzz` runs."""

import random
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.nodes.conversions import stamp_of
from mobilevlm_ros.trials.fuzz import images
from mobilevlm_ros.trials.fuzz.damage import damage
from mobilevlm_ros.trials.fuzz.draw import drawn
from mobilevlm_ros.trials.fuzz.report import Resources, judge
from mobilevlm_ros.trials.fuzz.truth import (
    Truth,
    is_whole_file,
    is_whole_image,
    is_whole_png,
    set_stamp,
)
from mobilevlm_ros.trials.usage import Usage


@pytest.mark.parametrize('truth', Truth)
def test_a_stamp_tells_what_its_image_is(truth):
    data = set_stamp(serialize_message(Image(encoding='rgb8')), truth.stamp(12_345))
    assert Truth.of_stamp(stamp_of(data) // 10**9) == truth
    assert deserialize_message(data, Image).encoding == 'rgb8'


def test_a_stamp_of_no_image_is_known_as_that():
    assert Truth.of_stamp(0) is None


def test_images_are_whole_if_their_fields_fit():
    fitting = {'height': 2, 'width': 2, 'step': 6, 'data': bytes(12), 'encoding': 'rgb8'}
    assert is_whole_image(Image(**fitting))
    for change in (
        {'encoding': 'x'}, {'step': 5}, {'data': bytes(11)}, {'data': bytes(13)}, {'height': 0},
        {'encoding': 'bayer_rggb8'},
    ):  # fmt: skip
        assert not is_whole_image(Image(**{**fitting, **change}))
    mosaic = {'height': 3, 'width': 5, 'step': 5, 'data': bytes(15), 'encoding': 'bayer_rggb8'}
    assert is_whole_image(Image(**mosaic))


def test_a_png_is_whole_with_its_checksums_alone():
    data = images.encode(np.zeros((4, 4, 3), np.uint8), 'PNG')
    assert is_whole_png(data) and is_whole_file(CompressedImage(data=data))
    assert not is_whole_file(CompressedImage(format='16UC1; png compressed ', data=data))
    assert not is_whole_png(data[:-13])
    for at in range(8, len(data) - 12):  # before the chunk that ends it
        assert not is_whole_png(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_the_series_follows_from_the_seed():
    def first(seed):
        return list(islice(drawn(images.image_fields(), seed), 50))

    assert first(1) == first(1) != first(2)


def test_damage_leaves_something_and_mostly_the_head():
    rng = random.Random(0)
    damaged = [damage(rng, bytes(range(100)), keep=12) for _ in range(300)]
    assert all(damaged)
    assert sum(data[:12] == bytes(range(12)) for data in damaged) > 250


def test_what_grew_beyond_its_limit_is_told():
    usage = Usage(0.0, 300.0, 250.0, 200.0, 20, 30, 5.0, 300.0)
    assert not list(judge(Resources(usage, usage, usage)))
    (text,) = judge(Resources(usage, usage, replace(usage, files=300)))
    assert text == 'open files grew by 270; 16 are allowed'


@pytest.mark.ros
@pytest.mark.slow
def test_some_hundred_messages_do_no_harm(ros_domain, tmp_path):
    command = [sys.executable, '-m', 'mobilevlm_ros.trials.fuzz.main', '--messages', '300']
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '0 violations' in done.stdout
