"""The way to a vlm_node that is found, replies, goes and comes back."""

from types import SimpleNamespace

import pytest
from rclpy.task import Future

from mobilevlm_ros.client import link as link_module
from mobilevlm_ros.client.link import Link


class Graph:
    """A node and a service, as the test would have them."""

    def __init__(self):
        self.servers = []
        self.probes = []

    def get_publishers_info_by_topic(self, topic, no_mangle):
        assert (topic, no_mangle) == ('rr/robot/vlm_node/askReply', True)
        return [SimpleNamespace(endpoint_gid=list(server)) for server in self.servers]

    def service_is_ready(self):
        return bool(self.servers)

    def call_async(self, request):
        self.probes.append(Future())
        return self.probes[-1]


@pytest.fixture
def graph(monkeypatch):
    monkeypatch.setattr(link_module, 'LOOK_EVERY_S', 0)
    monkeypatch.setattr(link_module, 'PROBE_EVERY_S', 0)
    return Graph()


@pytest.fixture
def link(graph):
    return Link(graph, graph, '/robot/vlm_node')


def test_nobody_there_is_not_asked(graph, link):
    link.advance()
    assert not link.open and not graph.probes
    assert '/robot/vlm_node is not there' in link.fault


def test_a_reply_opens_the_way(graph, link):
    graph.servers = [b'1']
    link.advance()
    assert (link.open, link.generation) == (False, 1)
    assert link.fault == '/robot/vlm_node did not reply in time'
    graph.probes[0].set_result(None)
    link.advance()
    assert link.open


def test_it_is_tried_until_there_is_a_reply_and_then_nothing_is_kept(graph, link):
    graph.servers = [b'1']
    for _ in range(3):
        link.advance()
    assert len(graph.probes) == 3
    graph.probes[1].set_result(None)
    for _ in range(3):
        link.advance()
    assert link.open and len(graph.probes) == 3
    assert [probe.cancelled() for probe in graph.probes] == [True, False, True]


def test_another_server_is_tried_anew(graph, link):
    graph.servers = [b'1']
    link.advance()
    graph.probes[0].set_result(None)
    link.advance()
    graph.servers = [b'2']
    link.advance()
    assert (link.open, link.generation, len(graph.probes)) == (False, 2, 2)


def test_the_way_is_closed_once_the_server_is_gone_and_tried_when_it_is_back(graph, link):
    graph.servers = [b'1']
    link.advance()
    graph.probes[0].set_result(None)
    link.advance()
    graph.servers = []
    link.advance()
    assert not link.open and 'is not there' in link.fault
    graph.servers = [b'1']
    link.advance()
    assert (link.generation, len(graph.probes)) == (2, 2)
