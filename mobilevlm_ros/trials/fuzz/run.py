"""Sends fuzzed messages to a running vlm_node and judges every reply."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from operator import itemgetter
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.msg import Query, Status
from mobilevlm_ros.nodes.conversions import stamp_to_ns, status_name
from mobilevlm_ros.nodes.processes import RunError
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.srv import Ask
from mobilevlm_ros.trials.fuzz.asks import good_query
from mobilevlm_ros.trials.fuzz.images import Sent, good_file, good_image
from mobilevlm_ros.trials.fuzz.truth import Truth

CAMERAS = {
    'front': Image,
    'left': Image,
    'rear': CompressedImage,
    'right': CompressedImage,
    'good': Image,
}
WINDOW = 12  # questions on their way
READY_WITHIN_S = 180.0
FIRST_REPLY_WITHIN_S = 5.0
NUDGE_AFTER_S = 6.0
REPLY_WITHIN_S = 180.0  # of a machine that may be busy; questions have a deadline of 5 s
WRONG = ('INTERNAL', 'NOT_ACTIVE', 'CANCELLED', 'BUSY')  # nothing that was sent may end like this
GOOD_EVERY = 25  # images of a camera, or questions


@dataclass(frozen=True)
class Told:
    """What the node's diagnostics said last."""

    at_ns: int = 0  # on the clock that nodes share
    ended: int = 0  # requests
    idle: bool = False  # no request is waiting or being answered


@dataclass
class Findings:
    """What became of the messages."""

    ends: dict[str, Counter[str]] = field(default_factory=dict)  # statuses by kind of message
    violations: list[str] = field(default_factory=list)

    def add(self, kind: str, status: str) -> None:
        """Count an end."""
        self.ends.setdefault(kind, Counter())[status] += 1


class Fuzzer:
    """A client of one vlm_node; everything runs in the caller's thread."""

    def __init__(self, check: Callable[[], None]) -> None:
        """Connect to nothing yet.

        Args:
            check: raises if vlm_node has ended.
        """
        self.findings = Findings()
        self.asked = 0
        self._told = Told()
        self._check = check
        self._numbers = count()
        self._node = rclpy.create_node('fuzzer')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._publishers = {
            camera: self._node.create_publisher(message, _topic(camera), FRAMES_OUT)
            for camera, message in CAMERAS.items()
        }
        self._ask = self._node.create_client(
            Ask, 'vlm_node/ask', qos_profile=QoSProfile(depth=200)
        )
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._count, 10)
        self._waiting: dict[Any, tuple[float, Query]] = {}  # since when
        self._cameras: dict[str, Any] = {}  # the last question about each camera's newest image
        self._nudged = 0.0
        self._images: Counter[str] = Counter()

    def close(self) -> None:
        """Let go of ROS, before `rclpy.shutdown`; an executor complains on stderr after it."""
        self._executor.shutdown()

    def connect(self) -> None:
        """Wait until a good image of every camera was answered about."""
        end = time.monotonic() + READY_WITHIN_S
        for camera in CAMERAS:
            while not self._sees(camera):
                if time.monotonic() > end:
                    raise RunError(f'vlm_node does not answer about {camera}')

    def send_image(self, kind: str, cameras: Sequence[str], sent: Sent) -> None:
        """Publish an image for one of the cameras that is free, and ask about its newest."""
        self._spin_until(lambda: not self._cameras.keys() >= set(cameras))
        free = [camera for camera in cameras if camera not in self._cameras]
        camera = min(free, key=self._images.__getitem__)
        self._images[camera] += 1
        if self._images[camera] % GOOD_EVERY == 0:
            self._show('good', camera, self._good(camera))
            self._spin_until(lambda: camera not in self._cameras)
        self._show(kind, camera, sent)

    def send_query(self, kind: str, query: Query) -> None:
        """Ask; some questions wait for another image, so there is one now and then."""
        self._images['good'] += 1
        if self._images['good'] % GOOD_EVERY == 0:
            self._publishers['good'].publish(self._good('good').data)
        self._spin_until(lambda: len(self._waiting) < WINDOW)
        self._submit(query, partial(self._judge, kind))

    def rest(self, seconds: float) -> None:
        """Send nothing for a while."""
        self._spin_for(seconds)

    def finish(self) -> None:
        """Let those end that wait for another image, and see that every request did."""
        end = time.monotonic() + REPLY_WITHIN_S
        while self._waiting and time.monotonic() < end:
            self._nudge()
            self._spin_for(0.2)
        for _, query in self._waiting.values():
            self._violate(f'no reply: {query}'[:1000])

    def ask(self, query: Query) -> Any:
        """Ask, and wait for the response; None: there is none."""
        found: list[Any] = []
        future = self._submit(query, found.append)
        end = time.monotonic() + REPLY_WITHIN_S
        while not found and time.monotonic() < end:
            self._spin_for(0.05)
        self._waiting.pop(future, None)
        return found[0] if found else None

    def answer_about(self, blocked: bool) -> str:
        """What the node makes of a good image now: the likelier choice, or how it failed."""
        sent = good_image(next(self._numbers), blocked)
        for _ in range(20):
            self._publishers['good'].publish(sent.data)
            self._spin_for(0.2)
            query = good_query('good', frame=Query.NEWEST, choices=['yes', 'no'])
            response = self.ask(query)
            if response is None:
                return 'no reply'
            stamp = response.answer.header.stamp
            if (stamp.sec, stamp.nanosec) == sent.stamp:
                return str(response.answer.text)
        return f'{status_name(response.status.code)}: {response.status.message}'

    def counted(self) -> int:
        """Requests that the node has ended, once it has nothing to do; as it told since now."""
        now_ns = self._node.get_clock().now().nanoseconds
        end = time.monotonic() + REPLY_WITHIN_S
        while not (self._told.idle and self._told.at_ns > now_ns) and time.monotonic() < end:
            self._spin_for(0.1)
        return self._told.ended

    def _sees(self, camera: str) -> bool:
        self._publishers[camera].publish(self._good(camera).data)
        self._spin_for(0.3)
        if not self._ask.service_is_ready():
            return False
        future = self._ask.call_async(Ask.Request(query=good_query(camera, frame=Query.NEWEST)))
        self.asked += 1
        end = time.monotonic() + FIRST_REPLY_WITHIN_S  # it may get lost before the way is open
        while not future.done() and time.monotonic() < end:
            self._spin_for(0.05)
        return bool(future.done() and future.result().status.code == Status.OK)

    def _good(self, camera: str) -> Sent:
        make = good_file if CAMERAS[camera] is CompressedImage else good_image
        return make(next(self._numbers))

    def _show(self, kind: str, camera: str, sent: Sent) -> None:
        def ended(response: Any) -> None:
            self._cameras.pop(camera)
            self._judge(kind, response)

        self._publishers[camera].publish(sent.data)
        query = good_query(camera, frame=Query.NEWEST)
        self._cameras[camera] = self._submit(query, ended)

    def _submit(self, query: Query, on_end: Callable[[Any], None]) -> Any:
        future = self._ask.call_async(Ask.Request(query=query))
        self.asked += 1
        self._waiting[future] = time.monotonic(), query

        def done(future: Any) -> None:
            self._waiting.pop(future, None)
            on_end(future.result())

        future.add_done_callback(done)
        return future

    def _judge(self, kind: str, response: Any) -> None:
        code, answer = status_name(response.status.code), response.answer
        self.findings.add(kind, code)
        if code in WRONG:
            self._violate(f'{kind}: {code}: {response.status.message[:300]}')
        if code == 'OK' or answer.text:
            truth = Truth.of_stamp(answer.header.stamp.sec)
            if truth not in (Truth.GOOD, Truth.DOUBTFUL):
                self._violate(f'{kind}: answered about an image that is {truth}')

    def _violate(self, what: str) -> None:
        self.findings.violations.append(what)

    def _count(self, message: DiagnosticArray) -> None:
        parts = {
            status.name.rpartition(': ')[2]: {pair.key: pair.value for pair in status.values}
            for status in message.status
        }
        self._told = Told(
            stamp_to_ns(message.header.stamp),
            sum(int(v) for k, v in parts['answers'].items() if k.startswith('count_')),
            parts['engine']['active'] == parts['engine']['waiting'] == '0',
        )

    def _spin_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._executor.spin_once(timeout_sec=0.05)
            self._check_patience()

    def _spin_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.05))
        self._check()

    def _check_patience(self) -> None:
        self._check()
        since, query = min(self._waiting.values(), key=itemgetter(0), default=(math.inf, None))
        waited_s = time.monotonic() - since
        if waited_s > NUDGE_AFTER_S:
            self._nudge()
        if waited_s > REPLY_WITHIN_S:
            raise RunError(f'no reply for {REPLY_WITHIN_S:g} s, vlm_node hangs: {query}'[:1000])

    def _nudge(self) -> None:
        """Send what questions may wait for that are about another image."""
        if time.monotonic() - self._nudged > 1.0:
            self._nudged = time.monotonic()
            for camera in CAMERAS:
                self._publishers[camera].publish(self._good(camera).data)


def _topic(camera: str) -> str:
    return f'{camera}/image' + ('/compressed' if CAMERAS[camera] is CompressedImage else '')
