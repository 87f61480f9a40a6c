"""vlm_node: watches cameras and answers questions about what they see."""

from __future__ import annotations

import logging
import threading
import traceback
from concurrent.futures import Future as Job
from functools import partial

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from rclpy.task import Future
from sensor_msgs.msg import Image

from mobilevlm_ros.engine import (
    Answer,
    ConfigError,
    Engine,
    EngineConfig,
    EngineWorker,
    MobileVlmError,
    NoImageError,
    create_fake_engine,
    open_engine,
)
from mobilevlm_ros.msg import Caption, Query, Status
from mobilevlm_ros.nodes.config import VlmNodeConfig
from mobilevlm_ros.nodes.conversions import (
    answer_to_caption,
    answer_to_message,
    answer_to_status,
    error_to_status,
    image_to_frame,
    query_to_question,
)
from mobilevlm_ros.nodes.errors import NotActiveError, UnknownCameraError
from mobilevlm_ros.nodes.params import declare
from mobilevlm_ros.nodes.qos import FRAMES_IN
from mobilevlm_ros.nodes.ros_logging import RosHandler
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.share import default_bundle
from mobilevlm_ros.srv import Ask

UNTAKEN_REQUESTS = 64  # kept by the middleware beyond the queue, so that they hear BUSY


class VlmNode(LifecycleNode):
    """A managed node over an EngineWorker; its callbacks only store frames and pass on questions.

    The worker lives from configure to cleanup, the subscriptions from activate to deactivate.
    """

    def __init__(self) -> None:
        super().__init__('vlm_node')
        self.done = False
        self._config = declare(self, VlmNodeConfig)
        self._engine_config = declare(self, EngineConfig)
        self._worker: EngineWorker | None = None
        self._closing: threading.Thread | None = None
        self._subscriptions_of_cameras: list[Subscription] = []
        self._active = False
        self._asking = 0  # requests without a response yet
        # Cameras that sent a frame since the last activation: whether one was answered about.
        self._cameras: dict[str, bool] = {}
        self._captions = self.create_lifecycle_publisher(Caption, '~/caption', 10)
        depth = self._engine_config.queue_size + UNTAKEN_REQUESTS
        self.create_service(
            Ask,
            '~/ask',
            self._ask,
            qos_profile=QoSProfile(depth=depth),
            callback_group=ReentrantCallbackGroup(),
        )

    def start(self) -> None:
        """Configure and activate, if `autostart` says so.

        Raises:
            MobileVlmError: if the node did not become active.
        """
        success = TransitionCallbackReturn.SUCCESS
        if self._config.autostart and (
            self.trigger_configure() != success or self.trigger_activate() != success
        ):
            raise MobileVlmError('could not start; the log says why')

    def stop(self) -> bool:
        """End all requests; true once they were answered and the models are gone."""
        if self._closing is None:
            self._active = False
            self._closing = threading.Thread(target=self._close_worker, daemon=True)
            self._closing.start()
        return self._asking == 0 and not self._closing.is_alive()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model."""
        try:
            on_caption = self._publish_caption if self._config.captions else None
            self._worker = EngineWorker(self._open_engine(), on_caption)
        except Exception as error:  # rclpy would swallow it
            ours = isinstance(error, MobileVlmError)
            cause = str(error) if ours else traceback.format_exc()
            self.get_logger().error(f'cannot configure: {cause}')
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and answer."""
        self._cameras = {}
        self._subscriptions_of_cameras = [
            self.create_subscription(
                Image, self._config.image_topic(camera), partial(self._keep, camera), FRAMES_IN
            )
            for camera in self._config.cameras
        ]
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Refuse questions; those already accepted are still answered."""
        self._active = False
        for subscription in self._subscriptions_of_cameras:
            self.destroy_subscription(subscription)
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model."""
        self._close_worker()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model, in whatever state the node was."""
        if self._active:
            self.on_deactivate(state)
        self._close_worker()
        return super().on_shutdown(state)

    def _open_engine(self) -> Engine:
        config, clock = self._engine_config, self.get_clock()
        if config.held_frames < len(self._config.cameras):
            raise ConfigError('held_frames must not be less than the number of cameras')
        if config.encoder == config.llm == 'fake':
            return create_fake_engine(config, clock=lambda: clock.now().nanoseconds)
        bundle = self._config.bundle or default_bundle()
        return open_engine(bundle, config, clock=lambda: clock.now().nanoseconds)

    def _close_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _keep(self, camera: str, message: Image) -> None:
        if worker := self._worker:
            worker.offer(camera, partial(image_to_frame, message, camera))
            self._cameras.setdefault(camera, False)

    def _publish_caption(self, answer: Answer) -> None:
        if self._active:
            self._captions.publish(answer_to_caption(answer))

    async def _ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        self._asking += 1
        try:
            answer = await self._answer(request.query)
        except MobileVlmError as error:
            response.status = error_to_status(error)
        except Exception as error:
            self.get_logger().error(f'a question failed:\n{traceback.format_exc()}')
            response.status = Status(code=Status.INTERNAL, message=repr(error))
        else:
            response.status = answer_to_status(answer)
            response.answer = answer_to_message(answer)
        finally:
            self._asking -= 1
        return response

    async def _answer(self, query: Query) -> Answer:
        question = query_to_question(query)
        camera, worker = self._camera(query.camera), self._worker
        if worker is None or not self._active:
            raise NotActiveError('vlm_node is not active; configure and activate it, then ask')
        cameras = self._cameras
        if camera not in cameras:
            raise NoImageError(f'no image from {camera} yet; check that it is publishing')
        # Until the first answer, what is held may be from before a deactivation.
        newest = query.frame == Query.NEWEST or not cameras[camera]
        job = worker.submit(question, camera, newest)
        await self._finished(job)
        answer = job.result()
        cameras[camera] = True
        return answer

    def _camera(self, name: str) -> str:
        cameras = self._config.cameras
        if name and name not in cameras:
            raise UnknownCameraError(f'no camera {name!r}; there is {", ".join(cameras)}')
        return name or cameras[0]

    async def _finished(self, job: Job[Answer]) -> None:
        """Wait for another thread; it has to wake the executor, since rclpy does not."""
        wake = self.executor.wake
        finished = Future()
        finished.add_done_callback(lambda _: wake())
        job.add_done_callback(finished.set_result)
        await finished


def _create() -> VlmNode:
    node = VlmNode()
    logger = logging.getLogger('mobilevlm_ros')
    logger.addHandler(RosHandler(node))
    logger.setLevel(logging.INFO)  # the node's own level decides what of it is shown
    node.start()
    return node


def main(argv: list[str] | None = None) -> int:
    """Run until a signal arrives."""
    return run(_create, argv)


if __name__ == '__main__':
    raise SystemExit(main())
