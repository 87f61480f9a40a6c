"""What is OK, a warning and an error."""

import math

import pytest
from builtin_interfaces.msg import Time

from mobilevlm_ros.engine import Load
from mobilevlm_ros.nodes.camera import CameraHealth
from mobilevlm_ros.nodes.config import CameraConfig
from mobilevlm_ros.nodes.diagnosis import (
    ERROR,
    OK,
    WARN,
    Model,
    diagnose,
    engine_part,
    judge_camera,
    judge_engine,
    judge_host,
)
from mobilevlm_ros.nodes.host import Host
from mobilevlm_ros.nodes.record import Record

ACTIVE = Model('active', 'nano', 'b', queue_size=10)


@pytest.mark.parametrize(('faults', 'level'), [(0, OK), (1, WARN), (2, WARN), (3, ERROR)])
def test_three_faults_in_a_row_are_an_error(faults, level):
    assert judge_engine(ACTIVE, Load(), Record(faults=faults))[0] == level


def test_a_queue_that_is_nearly_full_is_a_warning():
    assert judge_engine(ACTIVE, Load(waiting=7), Record())[0] == OK
    level, message = judge_engine(ACTIVE, Load(waiting=8), Record())
    assert level == WARN and '8 of 10' in message


def judged_after(*codes, waiting=()):
    """The verdict of this report and of the next one."""
    record = Record()
    for code in codes:
        record.add(code, None, 0.0)
    for count in waiting:
        record.wait(count)
    first = judge_engine(ACTIVE, Load(), record)
    record.reported()
    return first, judge_engine(ACTIVE, Load(), record)


@pytest.mark.parametrize(('happened', 'words'), [
    ({'waiting': (2, 9, 0)}, '9 of 10 places'),
    ({'codes': ('BUSY', 'OK', 'BUSY')}, '2 requests were refused'),
    ({'codes': ('INTERNAL', 'OK')}, '1 requests failed'),
])  # fmt: skip
def test_what_happened_between_two_reports_is_told_once(happened, words):
    first, second = judged_after(*happened.pop('codes', ()), **happened)
    assert first[0] == WARN and words in first[1]
    assert second == (OK, 'active')


@pytest.mark.parametrize('codes', [('OK', 'CANCELLED', 'DEADLINE', 'INVALID'), ()])
def test_what_ended_as_its_asker_wanted_is_no_warning(codes):
    assert judged_after(*codes)[0] == (OK, 'active')


@pytest.mark.parametrize(
    ('changes', 'level', 'word'),
    [
        ({}, OK, 'come'),
        ({'trouble': 'nobody publishes /image'}, ERROR, 'nobody publishes /image'),
        ({'silent_s': 5.0}, ERROR, 'silent for 5.0 s'),
        ({'silent_s': math.inf}, ERROR, 'silent'),
        ({'clock': 'stamps jumped back'}, WARN, 'jumped'),
    ],
)
def test_cameras_are_judged_by_the_worst_that_is_known(changes, level, word):
    health = {'publishers': 1, 'trouble': '', 'taken': 9, 'silent_s': 0.1, 'clock': '',
              'stamp_offset_s': 0.0}
    camera = CameraHealth('front', '/image', **{**health, **changes})
    found, message = judge_camera(camera, CameraConfig(silent_after_s=3.0))
    assert found == level and word in message


def test_a_machine_that_is_hot_or_full_is_a_warning():
    assert judge_host(Host(100.0, 4000.0, {'cpu': 60.0}, {}))[0] == OK
    assert judge_host(Host(100.0, 4000.0, {'cpu': 60.0, 'gpu': 95.0}, {}))[0] == WARN
    assert judge_host(Host(100.0, 150.0, {}, {}))[0] == WARN
    assert judge_host(Host(0.0, 0.0, {}, {}))[0] == OK  # it tells nothing


def test_every_part_has_the_node_s_name_and_its_values_as_text():
    array = diagnose('robot/vlm_node', Time(sec=5), [engine_part(ACTIVE, Load(), Record())])
    assert array.header.stamp.sec == 5
    (status,) = array.status
    assert (status.name, status.level, status.message) == ('robot/vlm_node: engine', OK, 'active')
    assert {'waiting', 'backend', 'cells_used'} <= {pair.key for pair in status.values}


def test_how_much_is_on_a_gpu_is_told() -> None:
    model = Model('active', 'nano', 'b', '0 of 7 layers on a GPU: n_gpu_layers is 0')
    _, _, values = engine_part(model, Load(), Record())
    assert values['placement'] == '0 of 7 layers on a GPU: n_gpu_layers is 0'
