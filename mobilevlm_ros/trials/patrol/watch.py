"""Watches several robots on their tours, over the topics that anybody can listen to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String, UInt32

from mobilevlm_ros.msg import Scene
from mobilevlm_ros.nodes.conversions import stamp_to_ns
from mobilevlm_ros.nodes.processes import RunError
from mobilevlm_ros.sim.tours import Tour

START_WITHIN_S = 60.0  # for all nodes, the loading of the model included
STOPS = ('wait', 'look', 'avoid')  # what a robot does instead of driving on
SCENE = {'model': 'vlm_node/scene'}  # else the simulator's own


class Robot:
    """What is known of one robot."""

    def __init__(self, node: Node, mode: str) -> None:
        self.path: list[tuple[float, float]] = []
        self.contacts = self.reached = self.stops = 0
        self._doing = ''
        self.seen_ns = 0  # stamp of the newest scene
        self.reactions_ms: list[float] = []
        self._clock = node.get_clock()
        scene = SCENE.get(mode, 'sim_node/scene')
        for kind, topic, receive in (
            (Odometry, 'odom', self._move),
            (UInt32, 'sim_node/contacts', self._count),
            (String, 'patrol_node/doing', self._change),
            (Scene, scene, self._look),
        ):
            node.create_subscription(kind, f'/{mode}/{topic}', receive, 10)

    def begin(self) -> None:
        """Count from here on."""
        self.path = self.path[-1:]
        self._before = (self.contacts, self.reached)
        self.stops, self.reactions_ms = 0, []

    def tour(self) -> Tour:
        """What it did since then."""
        contacts, reached = self._before
        return Tour(
            tuple(self.path),
            self.contacts - contacts,
            self.stops,
            self.reached - reached,
            tuple(self.reactions_ms),
        )

    def _move(self, odometry: Odometry) -> None:
        position = odometry.pose.pose.position
        self.path.append((position.x, position.y))

    def _count(self, contacts: UInt32) -> None:
        self.contacts = contacts.data

    def _look(self, scene: Scene) -> None:
        self.seen_ns = stamp_to_ns(scene.header.stamp)

    def _change(self, message: String) -> None:
        doing, reached, _ = message.data.split()
        self.reached = int(reached.partition('=')[2])
        before, self._doing = self._doing, doing
        if doing == before:
            return
        if doing in STOPS:
            self.stops += 1
        if doing == 'avoid':
            self.reactions_ms.append((self._clock.now().nanoseconds - self.seen_ns) * 1e-6)


class Watch:
    """A node that listens to all of them, spun in this thread."""

    def __init__(self, modes: Sequence[str], check: Callable[[], None]) -> None:
        """Listen.

        Args:
            modes: namespaces of the robots.
            check: raises if it is no use to wait any longer.
        """
        self._node = Node('sim_patrol')
        self._robots = {mode: Robot(self._node, mode) for mode in modes}
        self._check = check
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def run(self, seconds: float) -> dict[str, Tour]:
        """Wait until every robot has been seen and sees, then watch for this long.

        Raises:
            RunError: naming a robot that says nothing.
        """
        end = time.monotonic() + START_WITHIN_S
        while silent := [m for m, r in self._robots.items() if not (r.path and r.seen_ns)]:
            if time.monotonic() > end:
                raise RunError(f'{", ".join(silent)}: no odometry or no scene; see the logs')
            self._spin()
        for robot in self._robots.values():
            robot.begin()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._spin()
        return {mode: robot.tour() for mode, robot in self._robots.items()}

    def close(self) -> None:
        """Let go of ROS, before `rclpy.shutdown`; an executor complains on stderr after it."""
        self._executor.shutdown()

    def _spin(self) -> None:
        self._check()
        self._executor.spin_once(timeout_sec=0.05)
