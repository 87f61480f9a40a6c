"""Parameters that cannot be, as people give them: one line that names them, and exit code 2."""

import re

import pytest
from rcl_interfaces.srv import DescribeParameters

from mobilevlm_ros.nodes.probes import MOST_PROBES
from tests.nodes.test_vlm_node_keeping import change

pytestmark = pytest.mark.ros

MANY = {f'p{n}': {'question': 'x'} for n in range(MOST_PROBES + 1)}
BAD = [
    ('vlm_node', {'look': 'sometimes'}, 'look', 'one of always, on_change, on_demand'),
    ('vlm_node', {'streams': 'drop'}, 'streams', 'one of queue, reject'),
    ('vlm_node', {'camera.transport': 'theora'}, 'camera.transport', 'one of raw, compressed'),
    ('vlm_node', {'camera.reliability': 'best'}, 'camera.reliability', 'best_effort, reliable'),
    ('vlm_node', {'encoder': 'Fake'}, 'encoder', 'one of auto'),
    ('vlm_node', {'look_rate_hz': 5}, 'look_rate_hz', '5.0'),
    ('vlm_node', {'look_rate_hz': '.nan'}, 'look_rate_hz', 'nan'),
    ('vlm_node', {'probe_rate_hz': '.inf'}, 'probe_rate_hz', 'inf'),
    ('vlm_node', {'camera.silent_after_s': '.nan'}, 'camera.silent_after_s', 'nan'),
    ('vlm_node', {'temperature': -1.0}, 'temperature', '-1.0'),
    ('vlm_node', {'max_tokens': -1}, 'max_tokens', '-1'),
    ('vlm_node', {'max_tokens': 2.5}, 'max_tokens', "expecting type 'INTEGER'"),
    ('vlm_node', {'captions': 'yes please'}, 'captions', 'BOOL'),
    ('vlm_node', {'cameras': 'front'}, 'cameras', 'STRING_ARRAY'),
    ('vlm_node', {'cameras': '[]'}, 'cameras', ''),
    ('vlm_node', {'cameras': "['a/b']"}, 'cameras', 'letters, digits and _'),
    ('vlm_node', {'bundle': 7}, 'bundle', 'STRING'),
    ('vlm_node', {'probes': "'{a: ['"}, 'probes', 'not YAML'),
    ('vlm_node', {'probes': "'just words'"}, 'probes', 'names'),
    ('vlm_node', {'probes': "'{a: {choices: [x, y]}}'"}, 'probe a', 'question'),
    ('vlm_node', {'probes': f'"{MANY}"'}, 'probes', str(MOST_PROBES)),
    ('vlm_node', {'probes_file': '/nowhere.yaml'}, 'probes_file', '/nowhere.yaml'),
    ('sim_node', {'scene': 'lies'}, 'scene', "one of '' (empty), truth, blind"),
    ('sim_node', {'rate': '.nan'}, 'rate', 'nan'),
    ('patrol_node', {'speed': '.nan'}, 'speed', 'nan'),
    ('camera_node', {'rate': -1.0}, 'rate', '-1.0'),
]
BROKEN_ARGUMENTS = [
    ['-p', 'look'], ['--params-file', '/nowhere.yaml'], ['-p', 'cameras:=[1, front'],
    ['--no-such-option'],
]  # fmt: skip


def told(process, log):
    """The last line of a process that must have refused to start."""
    assert process.wait(120) == 2, log.read_text()
    text = log.read_text()
    assert 'Traceback' not in text
    return text.strip().splitlines()[-1]


@pytest.mark.timeout(300)
def test_bad_values_end_a_node_at_once_with_one_line_that_names_them(start, processes):
    started = []
    for node, parameters, name, word in BAD:
        started.append((start(node, **parameters), processes.log, name, word))
    for process, log, name, word in started:
        line = told(process, log)
        assert name in line and word in line, line
        assert len(log.read_text().strip().splitlines()) == 1, log.read_text()


@pytest.mark.timeout(120)
def test_arguments_that_ros_cannot_read_end_a_node_with_one_line(start, processes):
    started = []
    for arguments in BROKEN_ARGUMENTS:
        process = start('vlm_node', '--ros-args', *arguments)
        started.append((process, processes.log, arguments[-1].split(':')[0]))
    for process, log, word in started:
        assert word in told(process, log)


def test_a_misspelt_parameter_is_named_in_the_log(start_fake, client, processes):
    start_fake(max_ages=0.5)
    client.wait(lambda: 'has no parameter max_ages' in processes.log.read_text())
    assert 'did you mean max_age_s?' in processes.log.read_text()


def test_bad_values_are_refused_with_a_reason_while_the_node_runs(start_fake, client):
    start_fake()
    for name, value, reason in (
        ('streams', 'drop', 'one of queue, reject'), ('probe_rate_hz', float('nan'), 'nan'),
        ('temperature', 3.0, 'temperature'), ('max_tokens', 1.5, 'Wrong parameter type'),
        ('probes', '{a: [', 'not YAML'), ('probes_file', '/nowhere.yaml', '/nowhere.yaml'),
        ('look', 'always', 'read'),
    ):  # fmt: skip
        result = change(client, **{name: value})[0]
        assert not result.successful and re.search(reason, result.reason), result


def test_what_may_be_chosen_is_described(start_fake, client):
    start_fake()
    service = client.node.create_client(DescribeParameters, 'vlm_node/describe_parameters')
    client.connect()
    names = ['look', 'encoder', 'llm', 'precision', 'kv_type', 'streams', 'camera.transport',
             'camera.reliability']  # fmt: skip
    future = service.call_async(DescribeParameters.Request(names=names))
    client.wait(future.done)
    for descriptor in future.result().descriptors:
        assert descriptor.additional_constraints.startswith('one of: '), descriptor
