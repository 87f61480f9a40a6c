"""Processes that are killed and started again, over DDS: cameras, clients, the node itself."""

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from mobilevlm_ros.msg import Status
from mobilevlm_ros.nodes.conversions import stamp_to_ns

pytestmark = pytest.mark.ros

HERE = Path(__file__).parent


class Diagnostics:
    """The newest diagnostics of the node, by part."""

    def __init__(self, client):
        self._heard = client.listen(DiagnosticArray, '/diagnostics')

    def status(self, part):
        for status in self._heard[-1].status if self._heard else ():
            if status.name.partition(': ')[2] == part:
                return status
        return DiagnosticStatus()

    def values(self, part):
        return {pair.key: pair.value for pair in self.status(part).values}


@pytest.mark.parametrize('offset_s', [-1.7e9, 3600], ids=['from boot', 'an hour ahead'])
def test_a_camera_is_killed_and_comes_back_with_another_clock(
    start, start_fake, client, processes, offset_s
):
    camera = start(str(HERE / 'plain_camera.py'), '60', '0')
    start_fake(look='always', captions='false', **{'camera.silent_after_s': 1.0})
    diagnostics = Diagnostics(client)

    def says(grey):
        answer = client.ask().answer
        return answer if answer.text.endswith(f'brightness {grey}') else None

    before = client.wait(lambda: says(60))
    processes.kill(camera)
    client.wait(lambda: diagnostics.status('camera camera').level == DiagnosticStatus.ERROR)
    status = diagnostics.status('camera camera')
    assert 'silent for' in status.message or 'nobody publishes' in status.message

    start(str(HERE / 'plain_camera.py'), '160', str(offset_s))
    after = client.wait(lambda: says(160))
    moved_s = (stamp_to_ns(after.header.stamp) - stamp_to_ns(before.header.stamp)) * 1e-9
    assert moved_s == pytest.approx(offset_s, abs=120)
    client.wait(lambda: diagnostics.status('camera camera').level != DiagnosticStatus.ERROR)
    if offset_s > 0:
        client.wait(lambda: 'ahead' in diagnostics.status('camera camera').message)


@pytest.fixture
def slow(start, client):
    """A vlm_node whose answers take seconds, token by token, and that has seen an image."""
    program = str(HERE / 'slow_vlm_node.py')
    start(program, 'streaming', captions='false', active_questions=2, max_age_s=0.0)
    client.show(50)
    assert client.answer(question='Quick?').status.code == Status.OK


def test_nobody_s_answer_ends_by_its_deadline_and_leaves_nothing(
    slow, start, client, processes, tmp_path
):
    diagnostics = Diagnostics(client)
    client.wait(lambda: diagnostics.values('engine').get('active') == '0')
    idle = diagnostics.values('engine')
    reader = start(str(HERE / 'streaming_client.py'), '600')
    client.wait(lambda: 'and so on' in processes.log.read_text())
    processes.kill(reader)
    assert client.ask('Quick?').answer.text == 'brightness 50'
    (tmp_path / 'late').touch()
    client.wait(lambda: diagnostics.values('answers').get('count_DEADLINE') == '1')
    client.wait(lambda: diagnostics.values('engine')['active'] == '0')
    after = diagnostics.values('engine')
    assert [after[name] for name in ('waiting', 'cells_used', 'free_sequences')] == [
        idle[name] for name in ('waiting', 'cells_used', 'free_sequences')
    ]
    assert client.ask('Quick?').answer.text == 'brightness 50'
