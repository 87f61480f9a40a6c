"""Nodes whose requests end early, and streams to them."""

import pytest

from tests.nodes.endings.goals import SLOW_NODE
from tests.nodes.streamed import Streams


@pytest.fixture
def quiet(processes):
    """Afterwards the log must hold no traceback and no error."""
    yield
    log = processes.log.read_text()
    assert 'Traceback' not in log and '[ERROR]' not in log, log


@pytest.fixture
def slow(start_slow, client, quiet):
    """A vlm_node in the middle of a long answer, and streams to it; nothing else may begin."""
    start_slow('streaming', active_questions=1)
    return Streams(client)


@pytest.fixture
def stuck(start_slow, client, quiet):
    """A vlm_node whose encoder never returns, and streams to it."""
    start_slow('encoding')
    return Streams(client)


@pytest.fixture
def ready(start_fake, client, quiet):
    """A vlm_node that has seen an image, and streams to it."""
    start_fake(captions='false')
    client.show(50)
    client.answer()
    return Streams(client)


@pytest.fixture
def streaming(start, client, quiet):
    """Streams to a vlm_node that takes its time for every token."""
    start(SLOW_NODE, 'streaming', captions='false')
    client.show(50)
    client.answer(question='Quick?')
    return Streams(client)
