"""Faults of a model under a running vlm_node: told, kept to themselves, and got over."""

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from mobilevlm_ros.msg import Query, Status

pytestmark = pytest.mark.ros
OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR


@pytest.fixture
def start_faulty(start):
    program = Path(__file__).with_name('faulty_vlm_node.py')
    return lambda **parameters: start(
        str(program), captions='false', max_age_s=0.0, **parameters
    )


@pytest.fixture
def faulty(start_faulty, client):
    """The process, once it has answered about an image of grey 90."""
    process = start_faulty()
    client.show(90)
    client.answer()
    return process


def looked_at(client, grey):
    """The response to a question about the newest image, when that is one of this grey."""
    stamp_ns = client.show(grey)

    def response():
        found = client.ask(frame=Query.NEWEST)
        seen = found.answer.header.stamp
        old = found.status.code == Status.OK and seen.sec * 10**9 + seen.nanosec != stamp_ns
        return None if old else found

    return client.wait(response)


def engine_level(heard):
    """Of the last diagnostics."""
    levels = [status.level for status in heard[-1].status if status.name.endswith(': engine')]
    return levels[0]


def test_a_fault_of_the_encoder_fails_that_question_and_is_logged(faulty, client, processes):
    failed = looked_at(client, 0).status
    assert failed.code == Status.INTERNAL and 'too dark for me' in failed.message
    assert 'a question failed: ' in processes.log.read_text()
    assert looked_at(client, 120).answer.text == 'Well? brightness 120'


def test_a_frame_that_failed_leaves_the_last_one_to_be_asked_about(faulty, client):
    assert looked_at(client, 0).status.code == Status.INTERNAL
    assert client.ask().answer.text == 'Well? brightness 90'


def test_a_fault_of_the_language_model_fails_that_question_alone(faulty, client, processes):
    names = ['One?', 'boom', 'Two?', 'Three?']
    futures = {name: client.send(name) for name in names}
    client.wait(lambda: all(future.done() for future in futures.values()))
    failed = futures.pop('boom').result()
    assert failed.status.code == Status.INTERNAL and 'boom' in failed.status.message
    assert failed.answer.text == ''
    for name, future in futures.items():
        assert future.result().answer.text == f'{name} brightness 90'
    log = processes.log.read_text()
    assert 'a question failed: ' in log and 'in reply' in log  # with the place


def test_three_faults_in_a_row_are_an_error_until_a_success(faulty, client):
    heard = client.listen(DiagnosticArray, '/diagnostics')
    for _ in range(3):
        assert client.ask('boom').status.code == Status.INTERNAL
        assert client.ask(' ').status.code == Status.INVALID  # which proves nothing
    client.wait(lambda: heard and engine_level(heard) == ERROR)
    assert faulty.poll() is None
    assert client.ask().answer.text == 'Well? brightness 90'
    client.wait(lambda: engine_level(heard) == OK)


def test_faults_of_standing_questions_show_as_well(start_faulty, client):
    start_faulty(probes="'{a: {question: boom, choices: [x, y]}}'", probe_rate_hz=50.0)
    heard = client.listen(DiagnosticArray, '/diagnostics')

    def is_error():
        client.show(90)
        return heard and engine_level(heard) == ERROR

    client.wait(is_error)
