"""Who publishes a camera's topic, and what keeps images from coming, told as a user needs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

KINDS = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
MOST_LISTED = 4


class Publisher(Protocol):
    """What is known of one; rclpy's TopicEndpointInfo."""

    topic_type: str
    qos_profile: Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a camera subscribes to."""

    topic: str
    kind: str  # type of message
    qos: QoSProfile


def trouble(publishers: Sequence[Publisher], wanted: Wanted) -> str:
    """Why nothing of what these publish can arrive; empty: one that fits is enough."""
    if not publishers:
        return f'nobody publishes {wanted.topic}'
    same = [one for one in publishers if one.topic_type == wanted.kind]
    if not same:
        found = ', '.join(sorted({one.topic_type for one in publishers}))
        return f'{wanted.topic} has publishers of {found}, not of {wanted.kind}'
    reasons = [mismatch(one.qos_profile, wanted.qos) for one in same]
    if all(reasons):
        return (
            f"the QoS of {wanted.topic}'s publisher does not fit: {reasons[0].rstrip(';')}; set "
            'the parameter <camera>.reliability to best_effort, or make the publisher reliable'
        )
    return ''


def elsewhere(topics: Sequence[tuple[str, list[str]]], publishers: Callable[[str], int]) -> str:
    """A hint at the topics that do have images; empty if there are none.

    Args:
        topics: names and types, as rclpy tells them.
        publishers: how many a topic has.
    """
    found = [
        f'{name} ({kind})' for name, kinds in topics for kind in kinds
        if kind in KINDS and publishers(name)
    ]  # fmt: skip
    if not found:
        return 'start the camera, or remap `image` to its topic'
    listed = ', '.join(sorted(found)[:MOST_LISTED])
    return f'there are images on {listed}: remap `image` to one, with -r image:=TOPIC'


def mismatch(offered: QoSProfile, wanted: QoSProfile) -> str:
    """Why a publisher cannot reach a subscription; empty if it can."""
    verdict, reason = qos_check_compatible(offered, wanted)
    return str(reason) if verdict == QoSCompatibility.ERROR else ''


class Watch:
    """Has it said once of every camera that no image comes, and once when that is over."""

    def __init__(self, warn: Callable[[str], None], tell: Callable[[str], None]) -> None:
        """Nothing is known yet.

        Args:
            warn: says of a camera what is wrong.
            tell: says of a camera that images come.
        """
        self._warn = warn
        self._tell = tell
        self._logged: dict[str, str] = {}  # by camera
        self._since: dict[str, tuple[str, float]] = {}  # the present trouble, and when it began

    def note(self, camera: str, trouble: str, now_s: float, grace_s: float) -> None:
        """Take the present state of a camera.

        Args:
            camera: its name.
            trouble: why no image comes; empty: they do.
            now_s: seconds on a steady clock.
            grace_s: how long trouble must last.
        """
        present, since_s = self._since.get(camera, ('', now_s))
        if trouble != present:
            since_s = now_s
        self._since[camera] = trouble, since_s
        logged = self._logged.get(camera, '')
        if trouble and trouble != logged and now_s - since_s >= grace_s:
            self._logged[camera] = trouble
            self._warn(camera)
        elif logged and not trouble:
            self._logged[camera] = ''
            self._tell(camera)
