"""One run of the soak: cameras play, questions are asked, and what the node takes is sampled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tqdm import tqdm

from mobilevlm_ros.client import VlmClient
from mobilevlm_ros.msg import Answer
from mobilevlm_ros.nodes.conversions import stamp_to_ns
from mobilevlm_ros.nodes.processes import Processes, RunError
from mobilevlm_ros.trials.soak.cameras import COLOURS, Cameras, Shown
from mobilevlm_ros.trials.soak.questions import Asked, Asker, fault, lag

READY_WITHIN_S = 90.0
READY_HZ = 2.0
SETTLE_S = 1.0
KEPT = 0.97  # of the frames that a camera was to show
EDGES = 2  # frames: the run begins and ends between two of a camera
ANSWERS = 1000  # on ~/answer that may wait here


@dataclass(frozen=True, slots=True)
class Phase:
    """Some time at one rate."""

    rate_hz: float
    seconds: float
    asked: tuple[Asked, ...]
    frames: dict[str, int]  # shown meanwhile, by camera
    lags: dict[int, int]  # how many answers were so many frames behind
    faults: dict[str, int]  # how often each was found

    @property
    def kept(self) -> float:
        """Share of the frames shown that were to be shown, of the camera with the fewest."""
        return min(1.0, (min(self.frames.values()) + EDGES) / (self.rate_hz * self.seconds))

    @property
    def wrong(self) -> list[str]:
        """Everything that should not be."""
        found = [f'{count} x {what}' for what, count in self.faults.items()]
        if self.kept < KEPT:
            found.append(f'a camera kept {self.kept:.1%} of its rate, not {KEPT:.0%}')
        return found


class SoakRun:
    """Drives everything from one thread; `rclpy.init` comes before, and it is closed after."""

    def __init__(
        self, processes: Processes, cameras: Cameras, vlm: VlmClient, asks_hz: float
    ) -> None:
        self.heard: list[tuple[str, int]] = []  # camera and stamp of all that came on ~/answer
        self._processes = processes
        self._cameras = cameras
        self._vlm = vlm
        self._asks_hz = asks_hz
        self._node = Node('soak')
        self._node.create_subscription(
            Answer, f'{vlm.name}/answer', self._hear, QoSProfile(depth=ANSWERS)
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)

    def ready(self) -> None:
        """Wait until every camera was answered about.

        Raises:
            RunError: if one was not.
        """
        end = time.monotonic() + READY_WITHIN_S
        self._cameras.play(READY_HZ)
        left = list(COLOURS)
        while left:
            asker = Asker(self._vlm, READY_HZ)
            asker.ask(left[0])
            self._wait(asker)
            status = asker.ended[0].status
            if status == 'OK':
                left.pop(0)
            elif time.monotonic() > end:
                raise RunError(
                    f'no answer about camera {left[0]} in {READY_WITHIN_S:g} s ({status}); '
                    f'vlm_node said:\n{self._processes.tail("vlm_node")}'
                )

    def phase(
        self, rate_hz: float, seconds: float, title: str, each: Callable[[], object] = int
    ) -> Phase:
        """Play and ask for so long; `each` is called at every turn, many times a second."""
        self._cameras.play(rate_hz)
        self._spin(SETTLE_S)
        begin_ns = time.monotonic_ns()
        asker = Asker(self._vlm, self._asks_hz)
        with tqdm(total=round(seconds), desc=title, unit='s', disable=None, leave=False) as bar:
            while (passed := (time.monotonic_ns() - begin_ns) * 1e-9) < seconds:
                asker.advance()
                each()
                self._tick()
                bar.update(int(passed) - bar.n)
        end_ns = time.monotonic_ns()
        self._wait(asker)
        return judge(rate_hz, (begin_ns, end_ns), asker.ended, self._cameras.shown)

    def close(self) -> None:
        """End the node, and before `rclpy.shutdown` its executor, which complains after it."""
        self._executor.shutdown()
        self._node.destroy_node()

    def _hear(self, answer: Answer) -> None:
        self.heard.append((answer.camera, stamp_to_ns(answer.header.stamp)))

    def _wait(self, asker: Asker) -> None:
        """Until every question has ended, and its answer was heard as well."""
        while asker.waiting:  # the client ends each some time
            self._tick()
        self._spin(SETTLE_S)

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._tick()

    def _tick(self) -> None:
        self._processes.check()
        self._cameras.collect()
        self._executor.spin_once(timeout_sec=0.02)


def judge(
    rate_hz: float,
    between_ns: tuple[int, int],
    asked: list[Asked],
    shown: dict[str, list[Shown]],
) -> Phase:
    """What a phase was like."""
    begin_ns, end_ns = between_ns
    counts = {
        name: sum(begin_ns <= one.at_ns < end_ns for one in frames)
        for name, frames in shown.items()
    }
    found = [lag(one, shown[one.camera]) for one in asked if one.status == 'OK']
    lags = Counter(frames for frames in found if frames is not None)
    faults = Counter(fault(one, shown[one.camera]) for one in asked)
    del faults['']
    seconds = (end_ns - begin_ns) * 1e-9
    return Phase(rate_hz, seconds, tuple(asked), counts, dict(sorted(lags.items())), dict(faults))
