"""The fixtures of the nodes' tests: the demo attaches to nodes that run already."""

from tests.nodes.conftest import processes, start

__all__ = ['processes', 'start']
