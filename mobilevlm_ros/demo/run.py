"""One run of the demo: waits for the nodes, drives, asks and has the answers judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rclpy.executors import SingleThreadedExecutor

from mobilevlm_ros.demo.quiz import Quiz, Result
from mobilevlm_ros.demo.report import Report
from mobilevlm_ros.demo.robot import DemoRobot, Reply
from mobilevlm_ros.msg import Caption, Status
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.conversions import stamp_to_ns
from mobilevlm_ros.nodes.processes import Processes, RunError
from mobilevlm_ros.sim.questions import QA
from mobilevlm_ros.sim.world import World

START_WITHIN_S = 180.0  # for both nodes, the loading of the model included
ANSWER_WITHIN_S = 60.0
OVERTIME_S = 90.0  # to drive on if too few questions were settled by the frames
RETRY_S = 1.0  # from one attempt at the first answer to the next
PAUSE_S = 0.7  # from an answer to the next question, so that the view changes

T = TypeVar('T')


class DemoRun:
    """Spins the demo's own node in this thread while the two others run as processes."""

    def __init__(self, world: World, seed: int, processes: Processes, report: Report) -> None:
        self._processes = processes
        self._report = report
        self._quiz = Quiz(world, seed)
        self._robot = DemoRobot(world, self._tell)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._robot)

    def drive(self, seconds: float, questions: int) -> None:
        """Drive for this long, and a little longer if too few questions could be counted.

        Raises:
            RunError: if a node died, no frame came or a question was not answered.
        """
        self._report.begin()  # captions may come at once
        self._wait(self._robot.service_is_ready, START_WITHIN_S, 'vlm_node offers no service')
        self._wait(self._robot.pose, START_WITHIN_S, 'no frame came from sim_node')
        self._connect()
        end = time.monotonic() + seconds
        while time.monotonic() < end or (
            self._report.counted < questions and time.monotonic() < end + OVERTIME_S
        ):
            self._ask_one(self._wait(self._robot.pose, ANSWER_WITHIN_S, 'no frame any more'))
            self._spin(PAUSE_S)

    def close(self) -> None:
        """Let go of ROS, before `rclpy.shutdown`; an executor complains on stderr after it."""
        self._executor.shutdown()

    def _ask_one(self, pose: Pose) -> None:
        qa = self._quiz.next_question(pose)
        if qa is not None:
            self._judge(qa, self._ask(qa.question))

    def _connect(self) -> None:
        """Ask until there is a first answer.

        That vlm_node was found does not mean that its responses find the way back yet, nor that
        it has seen a frame.
        """
        end = time.monotonic() + START_WITHIN_S
        failure = 'it does not respond'
        while failure:
            if time.monotonic() > end:
                raise RunError(f'no answer from vlm_node: {failure}')
            self._robot.ask('What do you see?')
            self._spin(RETRY_S)
            if self._robot.reply:
                failure = self._robot.reply.response.status.message

    def _ask(self, question: str) -> Reply:
        self._robot.ask(question)
        failure = f'vlm_node did not answer {question!r}'
        reply = self._wait(lambda: self._robot.reply, ANSWER_WITHIN_S, failure)
        status = reply.response.status
        if status.code != Status.OK:
            raise RunError(f'vlm_node refused {question!r}: {status.message}')
        return reply

    def _judge(self, qa: QA, reply: Reply) -> None:
        answer = reply.response.answer
        seen = self._robot.seen_at(stamp_to_ns(answer.header.stamp))
        if seen is None:  # a frame that vlm_node received and this node missed
            return
        pixels, pose = seen
        truth = self._quiz.truth(qa, pose)
        result = Result(qa.kind, qa.question, answer.text, truth, reply.latency_ms)
        self._report.add(result, pixels)

    def _tell(self, caption: Caption) -> None:
        self._report.caption(caption.text)

    def _wait(self, condition: Callable[[], T | None], within_s: float, failure: str) -> T:
        end = time.monotonic() + within_s
        while not (value := condition()):
            if time.monotonic() > end:
                raise RunError(f'{failure}; waited {within_s:g} s, see the logs')
            self._spin_once()
        return value

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._spin_once()

    def _spin_once(self) -> None:
        self._processes.check()
        self._executor.spin_once(timeout_sec=0.05)
