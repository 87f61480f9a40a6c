"""vlm_node: watches cameras and answers questions about what they see."""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile

from mobilevlm_ros.engine import (
    Answer,
    Caption,
    ConfigError,
    Engine,
    EngineConfig,
    EngineWorker,
    Load,
    MobileVlmError,
    create_fake_engine,
    open_engine,
)
from mobilevlm_ros.msg import Answer as AnswerMessage
from mobilevlm_ros.msg import Caption as CaptionMessage
from mobilevlm_ros.msg import Query, Scene, Status
from mobilevlm_ros.nodes import diagnosis
from mobilevlm_ros.nodes.announcement import announcement
from mobilevlm_ros.nodes.cameras import Cameras
from mobilevlm_ros.nodes.config import CameraConfig, VlmNodeConfig
from mobilevlm_ros.nodes.conversions import (
    answer_to_message,
    caption_to_message,
    error_to_status,
    status_name,
)
from mobilevlm_ros.nodes.desk import Desk, OnChunk, OnPending, defaults_of, nothing
from mobilevlm_ros.nodes.errors import NotActiveError
from mobilevlm_ros.nodes.parameters import Parameters
from mobilevlm_ros.nodes.params import declare
from mobilevlm_ros.nodes.probes import Probe, read_probes
from mobilevlm_ros.nodes.record import Record
from mobilevlm_ros.nodes.reporter import Reporter
from mobilevlm_ros.nodes.ros_logging import RosHandler, one_line
from mobilevlm_ros.nodes.runner import run
from mobilevlm_ros.nodes.scenes import Scenes
from mobilevlm_ros.nodes.serving import Serving
from mobilevlm_ros.nodes.share import config_folder, default_bundle
from mobilevlm_ros.nodes.streams import Streams
from mobilevlm_ros.nodes.transitions import told
from mobilevlm_ros.srv import Ask

UNTAKEN_REQUESTS = 64  # kept by the middleware beyond the queue, so that they hear BUSY
MAX_AGE_S = 2.0  # a robot acts on what it is told; older images have to be asked for


class VlmNode(LifecycleNode):
    """A managed node over an EngineWorker; its callbacks only store frames and pass on questions.

    The worker lives from configure to cleanup, the subscriptions from activate to deactivate.
    """

    def __init__(self) -> None:
        super().__init__('vlm_node')
        self.done = False
        config = declare(self, VlmNodeConfig)
        self._engine_config = declare(self, EngineConfig, max_age_s=MAX_AGE_S)
        self._probes: tuple[Probe, ...] = read_probes(
            config.probes, config.probes_file, config_folder()
        )
        cameras = {f'{one}.': (declare(self, CameraConfig, f'{one}.'),) for one in config.cameras}
        configs = {'': (config, self._engine_config), **cameras}
        settings = self._settings = Parameters(self, configs, self._check)
        self._cameras = Cameras(self, config, settings, self._seen, lambda: bool(self._probes))
        self._serving: Serving | None = None
        self._model = diagnosis.Model('unconfigured')
        self._closing: threading.Thread | None = None
        self._active = False
        self._asking = 0  # requests without a response yet
        self._record = Record()
        self._offer()

    def _offer(self) -> None:
        self._captions = self.create_lifecycle_publisher(CaptionMessage, '~/caption', 10)
        self._answers = self.create_lifecycle_publisher(AnswerMessage, '~/answer', 10)
        self._scene = self.create_lifecycle_publisher(Scene, '~/scene', 10)
        self.create_service(
            Ask,
            '~/ask',
            self._ask,
            qos_profile=QoSProfile(depth=self._engine_config.queue_size + UNTAKEN_REQUESTS),
            callback_group=ReentrantCallbackGroup(),
        )
        self._streams = Streams(self, self._serve, self._rejects_stream)
        Reporter(self, self._cameras, self._record, self._running)

    @property
    def _config(self) -> VlmNodeConfig:
        config: VlmNodeConfig = self._settings.get(VlmNodeConfig)
        return config

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
            self._closing = threading.Thread(target=self._end_requests(), daemon=True)
            self._closing.start()
        return self._asking == 0 and not self._closing.is_alive()

    @told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model."""
        engine = self._open_engine()
        worker = EngineWorker(
            engine, self._publish_caption, captions_wanted=lambda: self._config.captions,
            caption_max_age_s=self._max_age_s,
        )  # fmt: skip
        scenes = Scenes(
            self, worker, lambda: self._probes, self._probe_period_s, self._max_age_s,
            self._publish_scene, self._record.judge,
        )  # fmt: skip
        desk = Desk(self, worker, self._cameras, self._record.wait)
        self._serving = Serving(worker, desk, scenes)
        self._model = diagnosis.Model(
            'inactive', engine.bundle.name, engine.backend, engine.placement,
            self._engine_config.queue_size,
        )  # fmt: skip
        return super().on_configure(state)

    @told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and answer."""
        assert self._serving is not None
        self._cameras.open(self._serving.worker, self._engine_config)
        self._active = True
        self.get_logger().info(announcement(self, self._model, self._cameras.topics()))
        return super().on_activate(state)

    @told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Refuse questions; those already accepted are still answered."""
        self._active = False
        self._cameras.close()
        return super().on_deactivate(state)

    @told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model."""
        self._end_requests()()
        self._model = diagnosis.Model('unconfigured')
        return super().on_cleanup(state)

    @told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model, in whatever state the node was."""
        if self._active:
            self.on_deactivate(state)
        self._end_requests()()
        return super().on_shutdown(state)

    def _open_engine(self) -> Engine:
        config, clock = self._engine_config, self.get_clock()
        if config.held_frames < len(self._config.cameras):
            raise ConfigError('held_frames must not be less than the number of cameras')
        if config.encoder == config.llm == 'fake':
            return create_fake_engine(config, clock=lambda: clock.now().nanoseconds)
        bundle = self._config.bundle or default_bundle()
        return open_engine(bundle, config, clock=lambda: clock.now().nanoseconds)

    def _end_requests(self) -> Callable[[], None]:
        """Returns what frees the model, in whatever thread."""
        serving, self._serving = self._serving, None
        return serving.end() if serving is not None else lambda: None

    # Parameters.

    def _check(self, values: dict[str, Any]) -> None:
        """Refuse probes that cannot be, and take the others."""
        if values.keys() & {'probes', 'probes_file'}:
            text = values.get('probes', self._config.probes)
            file = values.get('probes_file', self._config.probes_file)
            self._probes = read_probes(text, file, config_folder())

    def _max_age_s(self, camera: str) -> float:
        default_s = self._settings.get(EngineConfig).max_age_s or math.inf
        return self._cameras.max_age_s(camera, default_s)

    def _probe_period_s(self) -> float:
        rate_hz = self._config.probe_rate_hz
        return 1 / rate_hz if rate_hz else 0.0

    # What comes unasked.

    def _seen(self, camera: str) -> None:
        if self._serving is not None:
            self._serving.scenes.show(camera)

    def _publish_caption(self, caption: Caption) -> None:
        if self._active and self._config.captions:
            self._captions.publish(caption_to_message(caption))

    def _publish_scene(self, scene: Scene) -> None:
        if self._active:
            self._scene.publish(scene)

    def _running(self) -> tuple[diagnosis.Model, Load]:
        state = 'active' if self._active else self._model.state
        load = self._serving.worker.load() if self._serving is not None else Load()
        return replace(self._model, state=state), load

    # What is asked.

    async def _ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        status, answer = await self._serve(request.query)
        response.status = status
        if answer is not None:
            response.answer = answer_to_message(answer)
        return response

    async def _serve(
        self, query: Query, on_chunk: OnChunk = nothing, on_pending: OnPending = nothing
    ) -> tuple[Status, Answer | None]:
        """Every request ends here, with exactly one status."""
        self._asking += 1
        answer = None
        try:
            status, answer = await self._answer(query, on_chunk, on_pending)
        except MobileVlmError as error:
            status = error_to_status(error)
        except Exception as error:
            self.get_logger().error(traceback.format_exc())
            status = Status(code=Status.INTERNAL, message=repr(error))
        finally:
            self._asking -= 1
        self._note(status, answer)
        return status, answer

    def _rejects_stream(self) -> bool:
        if self._config.streams != 'reject':
            return False
        self._record.counts['REJECTED'] += 1
        return True

    async def _answer(
        self, query: Query, on_chunk: OnChunk, on_pending: OnPending
    ) -> tuple[Status, Answer]:
        if self._serving is None or not self._active:
            raise NotActiveError('vlm_node is not active; configure and activate it, then ask')
        defaults = defaults_of(self._settings.get(EngineConfig))
        status, answer = await self._serving.desk.answer(query, defaults, on_chunk, on_pending)
        if not answer.unanswered:
            self._cameras.answered(answer.camera)
        return status, answer

    def _note(self, status: Status, answer: Answer | None) -> None:
        if status.code == Status.INTERNAL:
            self.get_logger().error(one_line(f'a question failed: {status.message}'))
        said = None if answer is None or answer.unanswered else answer
        timing = said.timing if said else None
        self._record.add(status_name(status.code), timing, time.monotonic())
        if said is not None and self._active:
            self._answers.publish(answer_to_message(said))


def create_node() -> VlmNode:
    """A node that has started, if its parameters do not leave that to a manager."""
    node = VlmNode()
    logger = logging.getLogger('mobilevlm_ros')
    logger.addHandler(RosHandler(node))
    logger.setLevel(logging.INFO)  # the node's own level decides what of it is shown
    node.start()
    return node


def main(argv: list[str] | None = None) -> int:
    """Run until a signal arrives."""
    return run(create_node, argv)


if __name__ == '__main__':
    raise SystemExit(main())
