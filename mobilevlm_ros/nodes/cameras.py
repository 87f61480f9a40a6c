"""All cameras of the node, and when their images are taken."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from rclpy.node import Node
from rclpy.task import Future

from mobilevlm_ros.engine import EngineConfig, EngineWorker, Frame, NoImageError, QuestionError
from mobilevlm_ros.nodes.camera import Camera, CameraHealth
from mobilevlm_ros.nodes.clocks import steady_timer
from mobilevlm_ros.nodes.config import CameraConfig, VlmNodeConfig
from mobilevlm_ros.nodes.errors import NotActiveError, UnknownCameraError
from mobilevlm_ros.nodes.parameters import Parameters

WAKE_HZ = 30.0  # how often an image is taken where the engine would look at every one


class Cameras:
    """Subscriptions from activate to deactivate; what they take goes to the worker."""

    def __init__(
        self,
        node: Node,
        config: VlmNodeConfig,
        settings: Parameters,
        on_image: Callable[[str], None],
        probing: Callable[[], bool],
    ) -> None:
        """Nothing is subscribed before `open`.

        Args:
            node: whose subscriptions.
            config: names of the cameras.
            settings: of each camera, under the prefix `<name>.`; they may change.
            on_image: called with the name of a camera whose image was taken.
            probing: whether images are wanted even if nothing is looked at ahead.
        """
        self._probing = probing
        self._settings = settings
        self._on_image = on_image
        self._node = node
        self._config = config
        self._open: dict[str, Camera] = {}
        self._seen: dict[str, bool] = {}  # since the last activation: whether answered about
        self._waiting: dict[str, list[Future]] = {}
        self._timer = None

    def config_of(self, name: str) -> CameraConfig:
        """The present settings of a camera."""
        config: CameraConfig = self._settings.get(CameraConfig, f'{name}.')
        return config

    def open(self, worker: EngineWorker, engine: EngineConfig) -> None:
        """Subscribe to all; take images as often as the engine looks."""
        self._worker = worker
        self._on_demand = engine.look == 'on_demand'
        self._seen = {}
        for name in self._config.cameras:
            topic = self._config.image_topic(name)
            self._open[name] = Camera(self._node, name, topic, self.config_of(name), self._keep)
        period_s = 1 / (engine.look_rate_hz or WAKE_HZ)
        self._timer = steady_timer(self._node, period_s, self._look)
        self._look()

    def close(self) -> None:
        """Unsubscribe from all."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        for camera in self._open.values():
            camera.close()
        self._open = {}
        for arrived in chain.from_iterable(self._waiting.values()):
            arrived.set_result(None)
        self._waiting = {}

    def _look(self) -> None:
        # An image of when the question came may be too old when its turn comes.
        if not self._on_demand or self._probing() or self._worker.load().waiting:
            for camera in self._open.values():
                camera.want()

    def wait(self, name: str, arrived: Future) -> None:
        """Settle a future when an image has come that was not there before, or none will."""
        camera = self._open[name]
        camera.pull()
        waiting = [future for future in self._waiting.get(name, []) if not future.cancelled()]
        self._waiting[name] = [*waiting, arrived]
        camera.want()

    def named(self, name: str) -> str:
        """The camera of this name; the first one if there is no name.

        Raises:
            UnknownCameraError: listing those that there are.
        """
        cameras = self._config.cameras
        if name and name not in cameras:
            raise UnknownCameraError(f'no camera {name!r}; there is {", ".join(cameras)}')
        return name or cameras[0]

    def check_single(self, problem: str) -> None:
        """Raise QuestionError about a problem where one of several cameras has to be named."""
        cameras = self._config.cameras
        if len(cameras) > 1:
            raise QuestionError(f'{problem}; name one of {", ".join(cameras)}')

    def prepare(self, name: str, newest: bool) -> bool:
        """Take what the middleware has, if it may be needed; whether to look at the newest.

        Until the first answer, what the engine holds may be from before a deactivation.

        Raises:
            NotActiveError: if the node was deactivated while the question waited.
            NoImageError: if the camera sent nothing since the activation.
        """
        if name not in self._open:
            raise NotActiveError('vlm_node was deactivated; activate it, then ask')
        newest = newest or not self._seen.get(name)
        if newest or self._on_demand:
            self._open[name].pull()
        if name not in self._seen:
            raise NoImageError(f'no image from {name} yet: {self.absence(name)}')
        return newest

    def absence(self, name: str) -> str:
        """Why there is no image of a camera, and what to do; empty while nothing is subscribed."""
        return self._open[name].absence() if name in self._open else ''

    def explained(self, error: NoImageError) -> NoImageError:
        """The error, or if no camera has sent anything yet, why the first one has not."""
        name = self._config.cameras[0]
        if self._seen or name not in self._open:
            return error
        return NoImageError(f'no image from {name} yet: {self.absence(name)}')

    def topics(self) -> list[str]:
        """Where the images are expected, and how they are subscribed to."""
        return [
            f'{camera.topic} ({config.transport}, {config.reliability})'
            for name, camera in self._open.items()
            for config in (self.config_of(name),)
        ]

    def max_age_s(self, name: str, default_s: float) -> float:
        """The age up to which an image may be, where a question does not say.

        Args:
            name: of the camera; empty: it is not known which, so none may be older than it may.
            default_s: of cameras that have none of their own.
        """
        names = [name] if name else self._config.cameras
        return min(self.config_of(one).max_age_s or default_s for one in names)

    def answered(self, name: str) -> None:
        """Note that what the engine holds of a camera is from since the activation."""
        if name in self._seen:
            self._seen[name] = True

    def health(self) -> list[CameraHealth]:
        """Of all that are open. Wants an image of each, to see whether it comes."""
        found = [camera.health() for camera in self._open.values()]
        for camera in self._open.values():
            camera.want()
        return found

    def _keep(self, name: str, source: Callable[[], Frame]) -> None:
        self._worker.offer(name, source)
        self._seen.setdefault(name, False)
        for arrived in self._waiting.pop(name, []):
            arrived.set_result(None)
        self._on_image(name)
