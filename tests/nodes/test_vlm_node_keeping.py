"""What vlm_node tells of itself, and settings that change while it runs."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.parameter import Parameter

from mobilevlm_ros.msg import Status

pytestmark = pytest.mark.ros


def messages(values):
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]


def change(client, **values):
    request = SetParameters.Request(parameters=messages(values))
    return client.call(SetParameters, 'set_parameters', request).results


def change_together(client, **values):
    request = SetParametersAtomically.Request(parameters=messages(values))
    return client.call(SetParametersAtomically, 'set_parameters_atomically', request).result


@pytest.fixture
def asked(start_fake, client):
    start_fake(captions='false', **{'camera.silent_after_s': 3600.0})
    client.show(50)
    client.answer()
    return client


def test_a_setting_changes_while_the_node_runs(asked):
    assert change(asked, max_tokens=5)[0].successful
    answer = asked.ask().answer
    assert (answer.text, answer.finish_reason) == ('Well?', 'length')


def test_the_age_that_a_camera_allows_changes_while_the_node_runs(asked):
    assert asked.ask().status.code == Status.OK
    assert change(asked, **{'camera.max_age_s': 0.001})[0].successful
    assert asked.ask().status.code == Status.STALE


def test_values_that_cannot_be_are_refused_with_the_reason(asked):
    for name, value, reason in (
        ('max_tokens', -1, 'max_tokens'),
        ('probes', '{a: {question: "", choices: [x, y]}}', 'probe a'),
        ('bundle', '/elsewhere', 'read'),
    ):
        result = change(asked, **{name: value})[0]
        assert not result.successful and reason in result.reason
    assert asked.ask().answer.finish_reason == 'stop'


def test_of_several_settings_all_change_or_none(asked):
    assert not change_together(asked, max_tokens=5, temperature=9.0).successful
    assert asked.ask().answer.finish_reason == 'stop'
    assert change_together(asked, max_tokens=5, temperature=0.0).successful
    assert asked.ask().answer.finish_reason == 'length'


def parts(client, heard):
    """The last diagnostics by part."""
    client.wait(lambda: heard)
    return {status.name.partition(': ')[2]: status for status in heard[-1].status}


def values(status):
    return {pair.key: pair.value for pair in status.values}


def test_diagnostics_tell_of_engine_answers_cameras_and_machine(asked):
    heard = asked.listen(DiagnosticArray, '/diagnostics')
    asked.ask(question=' ')
    asked.wait(lambda: heard and values(parts(asked, heard)['answers']).get('count_INVALID'))
    found = parts(asked, heard)
    engine = values(found['engine'])
    assert (engine['state'], engine['name'], engine['waiting']) == ('active', 'fake', '0')
    answers = values(found['answers'])
    assert int(answers['count_OK']) >= 1 and float(answers['total_ms_p95']) > 0
    assert float(values(found['host'])['resident_mb']) > 10

    def camera_is_well():
        asked.show(50)
        asked.spin(0.1)
        return parts(asked, heard)['camera camera'].level == DiagnosticStatus.OK

    asked.wait(camera_is_well)


def test_a_camera_that_falls_silent_is_an_error(start_fake, client):
    start_fake(**{'camera.silent_after_s': 0.5})
    heard = client.listen(DiagnosticArray, '/diagnostics')
    client.show(50)
    assert client.answer().status.code == Status.OK
    client.wait(lambda: 'silent' in parts(client, heard)['camera camera'].message)
    assert parts(client, heard)['camera camera'].level == DiagnosticStatus.ERROR


def test_every_refusal_of_a_full_queue_is_told_once(start_slow, client):
    heard = client.listen(DiagnosticArray, '/diagnostics')
    start_slow('answering', queue_size=4)
    futures = [client.send() for _ in range(40)]
    client.wait(lambda: sum(future.done() for future in futures) == 36)

    def told():
        said = [status.message for report in heard for status in report.status]
        return sum(int(text.split()[0]) for text in said if 'requests were refused' in text)

    client.wait(lambda: told() == 36)
    client.wait(lambda: '4 of 4 places' in parts(client, heard)['engine'].message)
