"""The fixtures of the nodes' tests: a client needs a vlm_node."""

from tests.nodes.conftest import client, client_in, make_node, processes, start, start_fake

__all__ = ['client', 'client_in', 'make_node', 'processes', 'start', 'start_fake']
