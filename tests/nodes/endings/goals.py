"""Goals that end early: nodes to send them to, and what is said of them."""

from pathlib import Path

from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from mobilevlm_ros.msg import Status

SLOW_NODE = str(Path(__file__).parents[1] / 'slow_vlm_node.py')
SCHEMA = '{"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}'
SOON = Duration(nanosec=200_000_000)
LONG = {'question': 'Slow?', 'max_tokens': 300}


class Told:
    """What /diagnostics said of the engine and of its answers, from the first to the last."""

    def __init__(self, client):
        self._client = client
        self._heard = client.listen(DiagnosticArray, '/diagnostics')

    def parts(self, part):
        return [s for m in self._heard for s in m.status if s.name.endswith(f': {part}')]

    def wait_for_count(self, name, count):
        """Until so many requests ended with this status; no part ever was an error."""
        def counted():
            parts = self.parts('answers')
            values = {pair.key: pair.value for pair in parts[-1].values} if parts else {}
            return values.get(f'count_{name}') == str(count)

        self._client.wait(counted)
        levels = {part.level for part in (*self.parts('engine'), *self.parts('answers'))}
        assert DiagnosticStatus.ERROR not in levels

    def counts(self):
        values = self.parts('answers')[-1].values
        return {pair.key for pair in values if pair.key.startswith('count_')}


def assert_cancelled(done, **answer):
    assert done.status == GoalStatus.STATUS_CANCELED
    assert done.result.status.code == Status.CANCELLED and done.result.status.message
    found = done.result.answer
    assert (found.finish_reason, found.model, found.choice) == ('cancelled', 'fake', -1)
    assert not found.abstained and not found.probabilities
    for name, value in {'camera': 'camera', 'text': '', **answer}.items():
        assert getattr(found, name) == value
