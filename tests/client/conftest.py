"""The fixtures of the nodes' tests: a client needs a vlm_node."""

from tests.nodes.conftest import client, processes, slack, start, start_fake

__all__ = ['client', 'processes', 'slack', 'start', 'start_fake']
