"""~/scene: answers all probes about one frame after the other, as the cameras show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rclpy.node import Node

from mobilevlm_ros.engine import Answer, ClosedError, EngineWorker, MobileVlmError
from mobilevlm_ros.msg import Scene
from mobilevlm_ros.nodes.probes import Probe, make_scene
from mobilevlm_ros.nodes.ros_logging import one_line

Finish = Callable[[Scene], None]


class Scenes:
    """One set of probes is under way for each camera; the next frame waits until it is done."""

    def __init__(
        self,
        node: Node,
        worker: EngineWorker,
        probes: Callable[[], Sequence[Probe]],
        period_s: Callable[[], float],
        max_age_s: Callable[[str], float],
        finish: Finish,
        judge: Callable[[str], None],
    ) -> None:
        """Nothing is asked before `show`.

        Args:
            node: whose clock and executor.
            worker: what is asked.
            probes: those of now; they may change.
            period_s: least time between two scenes of a camera.
            max_age_s: the age up to which a frame of a camera is asked about; infinite: any.
            finish: gets each scene, in the executor's thread.
            judge: gets how each answer ended: OK, or the code of its error.
        """
        self._node = node
        self._worker = worker
        self._probes = probes
        self._period_s = period_s
        self._max_age_s = max_age_s
        self._finish = finish
        self._judge = judge
        self._busy: set[str] = set()
        self._next: dict[str, float] = {}  # on time.monotonic
        self._done: list[tuple[str, Sequence[Probe], Sequence[Any]]] = []
        self._news = node.create_guard_condition(self._deliver)

    def show(self, camera: str) -> None:
        """A camera has a new frame: ask about it, unless it is too early."""
        probes, now = self._probes(), time.monotonic()
        if not probes or camera in self._busy or now < self._next.get(camera, 0.0):
            return
        self._next[camera] = now + self._period_s()
        self._busy.add(camera)
        max_age_s = self._max_age_s(camera)
        questions = [replace(probe.question, max_age_s=max_age_s) for probe in probes]
        replies = self._worker.submit_all(questions, camera, newest=True)
        left = len(replies)

        def ended(_: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._done.append((camera, probes, replies))
                self._news.trigger()

        for reply in replies:
            reply.add_done_callback(ended)

    def close(self) -> None:
        """Publish nothing more."""
        self._node.destroy_guard_condition(self._news)

    def _deliver(self) -> None:
        while self._done:
            camera, probes, replies = self._done.pop(0)
            self._busy.discard(camera)
            answers = [self._result(reply) for reply in replies]
            if any(answer is not None for answer in answers):
                self._finish(make_scene(probes, answers))

    def _result(self, reply: Any) -> Answer | None:
        try:
            answer: Answer = reply.result()
        except ClosedError:  # the node is being cleaned up, or ends
            return None
        except MobileVlmError as error:
            self._judge(error.code)
            text = one_line(f'no scene: {error}')
            self._node.get_logger().warning(text, throttle_duration_sec=5.0)
            return None
        if answer.unanswered:  # by the deadline
            self._judge('DEADLINE')
            return None
        self._judge('OK')
        return answer
