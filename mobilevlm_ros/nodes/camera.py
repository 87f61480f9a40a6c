"""One camera: its subscription, what of it is taken, and its state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.engine import Age, Frame, Header, ImageError, age_of, steady_s
from mobilevlm_ros.nodes.arrivals import RECEIVED, SENT, Info, since_s, with_info
from mobilevlm_ros.nodes.config import CameraConfig
from mobilevlm_ros.nodes.conversions import compressed_to_frame, image_to_frame, stamp_of
from mobilevlm_ros.nodes.gate import Gate
from mobilevlm_ros.nodes.publishers import Wanted, elsewhere, trouble

Offer = Callable[[str, Callable[[], Frame]], None]


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """What can be said of a camera."""

    name: str
    topic: str
    publishers: int
    trouble: str  # why nothing of them can arrive; empty: one of them fits
    taken: int  # frames since it was opened
    silent_s: float  # longest that none came since the last report; infinite: none ever
    clock: str  # what is wrong with its stamps; empty: nothing
    stamp_offset_s: float  # of the last one, from the time of its arrival; 0 if it is missing


class Camera:
    """Takes serialised images from the middleware when somebody wants one.

    They are deserialised by whoever decodes the frame, in that thread, if ever.
    """

    def __init__(self, node: Node, name: str, topic: str, config: CameraConfig, offer: Offer):
        """Subscribe; nothing is taken before `want`.

        Args:
            node: whose executor takes the images.
            name: of the camera.
            topic: of raw images; compressed ones come from `<topic>/compressed`.
            config: of this camera.
            offer: gets the name, and what makes the frame.
        """
        self.name = name
        self._node = node
        self._offer = offer
        self._gate = Gate()
        self._qos = camera_qos(config)
        self._kind = Image if config.transport == 'raw' else CompressedImage
        self.subscription = node.create_subscription(
            self._kind,
            topic if config.transport == 'raw' else f'{topic}/compressed',
            with_info(self._take),
            self._qos,
            raw=True,
            callback_group=self._gate,
        )
        kind = f'sensor_msgs/msg/{self._kind.__name__}'
        self._wanted = Wanted(self.subscription.topic_name, kind, self._qos)
        self._taken = 0
        self._wanted_at = 0.0  # on time.monotonic
        self._gap_s = 0.0  # longest time without an image since the last report
        self._stamp_ns = 0
        self._clock = ''
        self._odd = ''  # about its stamps, since the last report
        self._age = Age(by_stamp_s=0.0)

    @property
    def topic(self) -> str:
        """The name of its topic, resolved."""
        return self._wanted.topic

    def want(self) -> None:
        """Take the newest image, or the next one; from any thread."""
        if not self._gate.open:
            self._wanted_at = time.monotonic()
        self._gate.open = True
        if self._node.executor is not None:
            self._node.executor.wake()

    def pull(self) -> None:
        """Take what the middleware holds now, if anything; from the executor's thread."""
        with self.subscription.handle:
            found = self.subscription.handle.take_message(self._kind, True)
        if found is not None:
            self._take(*found)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self.subscription)

    def health(self) -> CameraHealth:
        """Its present state, and what was wrong since the last call, however shortly."""
        publishers = self._publishers()
        silent_s, clock = max(self._silent_s(), self._gap_s), self._clock or self._odd
        self._gap_s, self._odd = 0.0, ''
        return CameraHealth(
            self.name, self._wanted.topic, len(publishers), trouble(publishers, self._wanted),
            self._taken, silent_s, clock, self._age.offset_s,
        )  # fmt: skip

    def absence(self) -> str:
        """Why there is no image, and what to do."""
        publishers, topic = self._publishers(), self._wanted.topic
        found = trouble(publishers, self._wanted)
        if not found:
            since = f'for {self._silent_s():.1f} s' if self._taken else 'yet'
            return (
                f'{topic} has a publisher, but no image came {since}; check the camera, and for '
                'large images the profile config/fastdds.xml'
            )
        if any(one.topic_type == self._wanted.kind for one in publishers):
            return found
        topics = self._node.get_topic_names_and_types()
        return f'{found}; {elsewhere(topics, self._node.count_publishers)}'

    def _silent_s(self) -> float:
        """How long an image has been wanted and did not come; infinite: none ever did."""
        if not self._taken:
            return math.inf
        return time.monotonic() - self._wanted_at if self._gate.open else 0.0

    def _publishers(self) -> list[TopicEndpointInfo]:
        found: list[TopicEndpointInfo] = self._node.get_publishers_info_by_topic(
            self._wanted.topic
        )
        return found

    def _take(self, data: bytes, info: Info) -> None:
        if self._taken:
            self._gap_s = max(self._gap_s, self._silent_s())
        self._gate.open = False
        self._taken += 1
        now_s, now_ns = steady_s(), time.time_ns()
        header = Header(
            stamp_of(data),
            arrived_s=now_s - since_s(info, RECEIVED, now_ns),
            sent_s=now_s - since_s(info, SENT, now_ns),
        )
        self._age = age_of(header, self._node.get_clock().now().nanoseconds, now_s)
        self._watch_clock(header.stamp_ns)
        if self._age.credible:  # then the clock of its sender need not be right
            header = replace(header, sent_s=0.0)
        self._offer(self.name, partial(decode, self._kind, data, self.name, header))

    def _watch_clock(self, stamp_ns: int) -> None:
        back = self._stamp_ns - stamp_ns
        jumped = back > 0 and stamp_ns > 0
        self._clock = (
            f'stamps jumped back by {back * 1e-9:.3f} s' if jumped else self._age.stamp_fault
        )
        self._odd = self._clock or self._odd
        self._stamp_ns = stamp_ns


def camera_qos(config: CameraConfig) -> QoSProfile:
    """The newest image alone, with the reliability that the config names."""
    reliability = ReliabilityPolicy[config.reliability.upper()]
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=reliability)


def decode(kind: type, data: bytes, camera: str, header: Header) -> Frame:
    """The frame in a serialised image.

    Args:
        kind: of the message.
        data: the message.
        camera: whose it is.
        header: says when it was sent and arrived.

    Raises:
        ImageError: if it is not an image, or of an encoding that is not known.
    """
    try:
        message = deserialize_message(data, kind)
    except Exception as error:  # of a class that rclpy does not export
        raise ImageError(f'not a whole {kind.__name__} message: {error}') from error
    convert = image_to_frame if kind is Image else compressed_to_frame
    return replace(convert(message, camera), arrived_s=header.arrived_s, sent_s=header.sent_s)
