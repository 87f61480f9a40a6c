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

LOOK_EVERY_S = 0.02
PROBE_EVERY_S = 0.3


class Link:
    """Call `advance` now and then, from the thread that spins the node."""

    def __init__(self, node: Node, service: Client, name: str) -> None:
        """Nothing is known yet.

        Args:
            node: of the client.
            service: that is asked.
            name: of the vlm_node, with its namespace.
        """
        self.name = name
        self.generation = 0  # one more for every server that appears
        self.open = False  # to the server of this generation
        self._node = node
        self._service = service
        self._topic = f'rr{name}/askReply'  # as DDS knows it
        self._servers: frozenset[bytes] = frozenset()
        self._probes: list[Any] = []  # rclpy's futures of their replies
        self._look_at = 0.0
        self._probe_at = 0.0

    def advance(self) -> None:
        """Look who is there, and try the way if it is not yet known to be open."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._look()
        if any(probe.done() for probe in self._probes):
            self.open = True
            self._forget_probes()
        if not self.open and now >= self._probe_at and self.found:
            self._probe_at = now + PROBE_EVERY_S
            self._probes.append(self._service.call_async(Ask.Request()))

    @property
    def found(self) -> bool:
        """Whether anybody offers the service."""
        return bool(self._service.service_is_ready())

    @property
    def fault(self) -> str:
        """What is wrong if there is no reply."""
        if self.found:
            return f'{self.name} did not reply in time'
        return (
            f'{self.name} is not there; check that it runs, its name and namespace, and '
            'ROS_DOMAIN_ID'
        )

    def _look(self) -> None:
        servers = frozenset(
            bytes(info.endpoint_gid)
            for info in self._node.get_publishers_info_by_topic(self._topic, no_mangle=True)
        )
        appeared = bool(servers - self._servers)
        self.generation += appeared
        if appeared or not servers:
            self.open = False
            self._forget_probes()
        self._servers = servers

    def _forget_probes(self) -> None:
        for probe in self._probes:
            probe.cancel()  # rclpy keeps it otherwise
        self._probes = []
