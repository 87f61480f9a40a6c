"""The soak's cameras: processes that publish large frames and tell what they stamped when."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from array import array
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection

import cv2
import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image

from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.conversions import rgb_to_image, stamp_to_ns
from mobilevlm_ros.nodes.processes import RunError
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.programs import hold_interrupts
from mobilevlm_ros.sim.camera import Camera, render
from mobilevlm_ros.sim.things import Thing
from mobilevlm_ros.sim.world import World

COLOURS = {'front': 'red', 'left': 'green', 'right': 'yellow', 'rear': 'purple'}
VIEWS = 8  # different frames of a camera, shown in turn
LENS = Camera(width=1280, height_px=720)
END_WITHIN_S = 30.0  # those that are killed leave their memory behind
IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that was published."""

    stamp_ns: int
    at_ns: int  # when publishing it had ended, on time.monotonic_ns, which processes share


def views(name: str) -> list[np.ndarray]:
    """RGB uint8 [720, 1280, 3]: a box of the camera's colour, passed from side to side."""
    box = World(9.0, 9.0, (Thing('box', COLOURS[name], 3.6, 4.5),))
    sides = [0.6 * math.sin(2 * math.pi * number / VIEWS) for number in range(VIEWS)]
    poses = [Pose(1.5, 4.5 + side, 0.0) for side in sides]
    return [render(box, pose, noise_seed=1, camera=LENS).image for pose in poses]


class Cameras:
    """All camera processes; leaving the context ends them."""

    def __init__(self, transport: str) -> None:
        """Start them; they show nothing yet.

        Args:
            transport: raw or compressed.
        """
        self.shown: dict[str, list[Shown]] = {name: [] for name in COLOURS}
        self._ends: dict[str, Connection] = {}
        self._children = []
        context = multiprocessing.get_context('spawn')
        for name in COLOURS:
            self._ends[name], theirs = context.Pipe()
            child = context.Process(target=run_camera, args=(name, transport, theirs), name=name)
            with hold_interrupts():
                child.start()
            theirs.close()
            self._children.append(child)

    @property
    def pids(self) -> list[int]:
        """Of the processes."""
        return [child.pid or 0 for child in self._children]

    def play(self, rate_hz: float) -> None:
        """Show so many frames a second each, from now on; 0: none."""
        for end in self._ends.values():
            end.send(rate_hz)

    def collect(self) -> None:
        """Add to `shown` what was published; call often, the pipes hold a few hundred frames.

        Raises:
            RunError: if a camera has ended.
        """
        for name, end in self._ends.items():
            try:
                while end.poll():
                    self.shown[name].append(end.recv())
            except (EOFError, OSError) as error:
                raise RunError(f'camera {name} has ended; its output is above') from error

    def __enter__(self) -> Cameras:
        """Nothing more to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up, upon which they end themselves."""
        for end in self._ends.values():
            end.close()
        for child in self._children:
            child.join(END_WITHIN_S)
            if child.is_alive():
                child.kill()
                child.join()


def run_camera(name: str, transport: str, parent: Connection) -> None:
    """The process of one camera: publish at the rate that was told last, until hung up on."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent hears them, and hangs up
        signal.signal(number, signal.SIG_IGN)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node('camera', namespace=name)
    try:
        _publish(node, _messages(name, transport), parent)
    except (EOFError, OSError):
        pass
    finally:
        node.destroy_node()  # and with it its segment in /dev/shm
        rclpy.try_shutdown()


def _messages(name: str, transport: str) -> list[Image | CompressedImage]:
    stamp = Image().header.stamp
    if transport == 'raw':
        return [rgb_to_image(view, stamp, name) for view in views(name)]
    return [_jpeg(view, name) for view in views(name)]


def _jpeg(view: np.ndarray, name: str) -> CompressedImage:
    data = cv2.imencode('.jpg', cv2.cvtColor(view, cv2.COLOR_RGB2BGR))[1]
    message = CompressedImage(format='jpeg', data=array('B', data.tobytes()))
    message.header.frame_id = name
    return message


def _publish(node: Node, messages: list[Image | CompressedImage], parent: Connection) -> None:
    compressed = isinstance(messages[0], CompressedImage)
    topic = 'image/compressed' if compressed else 'image'
    publisher = node.create_publisher(type(messages[0]), topic, FRAMES_OUT)
    following = cycle(messages)
    due, period_s = math.inf, math.inf
    while True:
        if parent.poll(min(max(due - time.monotonic(), 0.0), IDLE_S)):
            rate_hz = parent.recv()
            period_s = 1 / rate_hz if rate_hz else math.inf
            due = time.monotonic() if rate_hz else math.inf
        elif time.monotonic() >= due:
            message = next(following)
            message.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(message)
            parent.send(Shown(stamp_to_ns(message.header.stamp), time.monotonic_ns()))
            # What it is late by more than a frame is lost, and shows as a rate that was not kept.
            due = max(due + period_s, time.monotonic() - period_s)
