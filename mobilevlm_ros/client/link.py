"""Whether the way to vlm_node and back is open.

A service is found before replies find their way back, and one that was killed is believed alive
for a while, so that a request may get lost either way. An empty question, which is refused at
once, is sent until a reply comes; and again whenever another server appears.
"""

from __future__ import annotations

import time
from typing import Any

from rclpy.client import Client
from rclpy.node import Node

from mobilevlm_ros.srv import Ask

PROBE_EVERY_S = 0.3


class Link:
    """Call `advance` now and then, from the thread that spins the node."""

    def __init__(self, node: Node, service: Client, name: str) -> None:
        """Nothing is known yet.

        Args:
            node: of the client.
            service: that is asked.
            name: of the service, with its namespace.
        """
        self.generation = 0  # one more for every server that appears
        self.open = False  # to the server of this generation
        self._node = node
        self._service = service
        self._topic = f'rr{name}Reply'  # as DDS knows it
        self._servers: frozenset[bytes] = frozenset()
        self._probed_at = 0.0

    def advance(self) -> None:
        """Look who is there, and try the way if it is not yet known to be open."""
        servers = frozenset(
            bytes(info.endpoint_gid)
            for info in self._node.get_publishers_info_by_topic(self._topic, no_mangle=True)
        )
        if servers - self._servers:
            self.generation += 1
            self.open = False
        self._servers = servers
        now = time.monotonic()
        if not self.open and now - self._probed_at > PROBE_EVERY_S and self.found:
            self._probe(now)

    @property
    def found(self) -> bool:
        """Whether anybody offers the service."""
        return bool(self._service.service_is_ready())

    @property
    def fault(self) -> str:
        """What is wrong if there is no reply."""
        absent = 'is not there; check that it runs, and its name and namespace'
        return 'did not reply in time' if self.found else absent

    def _probe(self, now: float) -> None:
        self._probed_at = now
        generation = self.generation

        def replied(reply: Any) -> None:
            self.open = self.open or (generation == self.generation and bool(reply.result()))

        self._service.call_async(Ask.Request()).add_done_callback(replied)
