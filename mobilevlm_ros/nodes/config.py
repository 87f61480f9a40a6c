"""Settings of the nodes; each field becomes a ROS parameter (see params.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mobilevlm_ros.engine import ConfigError, check_settings
from mobilevlm_ros.nodes.launch_arguments import CAMERA_NAME


def setting(
    default: Any,
    description: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    runtime: bool = False,
) -> Any:
    """A field that carries what `params.declare` says about its parameter.

    `runtime`: it may change while the node runs.
    """
    metadata = {
        'description': description, 'low': low, 'high': high, 'choices': choices,
        'runtime': runtime,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class CameraConfig:
    """One camera of vlm_node; the parameters are `<camera>.transport` and so on."""

    transport: str = setting(
        'raw', 'raw: `image`; compressed: `image/compressed`, JPEG or PNG',
        choices=('raw', 'compressed'),
    )  # fmt: skip
    reliability: str = setting(
        'best_effort', 'best_effort takes from every publisher; reliable only from reliable ones',
        choices=('best_effort', 'reliable'),
    )  # fmt: skip
    max_age_s: float = setting(
        0.0, 'refuse older images of this camera; 0: what the parameter max_age_s says',
        low=0.0, high=1e6,
    )  # fmt: skip
    silent_after_s: float = setting(
        3.0, 'diagnostics warn when no image came for so long', low=0.1, high=1e6
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class VlmNodeConfig:
    """What vlm_node needs beside the engine's own settings (EngineConfig)."""

    bundle: str = setting('', 'folder of the model; empty: nano, which ships with the package')
    autostart: bool = setting(True, 'configure and activate at start, without a lifecycle manager')
    cameras: tuple[str, ...] = setting(
        ('camera',),
        'names of the cameras; a single one listens to `image`, several to `<name>/image`',
    )
    captions: bool = setting(
        True, 'publish captions, at most one per `caption_period_s`', runtime=True
    )
    probes: str = setting(
        '',
        'standing questions, as YAML or JSON: {name: {question: ..., choices: [...]}}; what they '
        'find is published on ~/scene',
        runtime=True,
    )
    probes_file: str = setting(
        '',
        'the same in a file; without a folder it is one of ours, such as probes.yaml; setting it '
        'again reads it again',
        runtime=True,
    )
    probe_rate_hz: float = setting(
        5.0, 'most scenes of a camera a second; 0: no limit', low=0.0, high=1000.0, runtime=True
    )
    streams: str = setting(
        'queue', 'a second ~/ask_stream while one is answered: queue it, or reject it',
        choices=('queue', 'reject'), runtime=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.cameras or len(set(self.cameras)) < len(self.cameras):
            raise ConfigError(f'cameras is {list(self.cameras)}; give each camera its own name')
        for camera in self.cameras:
            if not CAMERA_NAME.fullmatch(camera):
                raise ConfigError(
                    f'{camera!r} in cameras is no part of a topic name; take letters, digits and _'
                )

    def image_topic(self, camera: str) -> str:
        """The topic that a camera's images come from."""
        return 'image' if len(self.cameras) == 1 else f'{camera}/image'


@dataclass(frozen=True)
class CameraNodeConfig:
    """What camera_node plays."""

    path: str = setting('', 'folder of images, or a video file; required')
    rate: float = setting(
        0.0, 'frames per second; 0: the rate of the video, 1 for a folder', low=0.0, high=1000.0
    )
    loop: bool = setting(True, 'start again at the end; otherwise the node ends there')
    frame_id: str = setting('camera_optical_frame', 'frame_id of the images')

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SimNodeConfig:
    """The simulated robot and its room."""

    seed: int = setting(
        0, 'the room, the start and the sensor noise follow from it', low=0, high=1 << 31
    )
    rate: float = setting(10.0, 'frames and odometry messages per second', low=0.1, high=100.0)
    noise: bool = setting(True, 'blur, exposure and noise of a real sensor')
    command_timeout: float = setting(
        0.5, 'seconds after which the robot stops if no cmd_vel came', low=0.05, high=60.0
    )
    frame_id: str = setting('camera_optical_frame', 'frame_id of the images')
    odom_frame: str = setting('odom', 'frame_id of the odometry: the room, origin in a corner')
    base_frame: str = setting('base_link', 'child_frame_id of the odometry')
    scene: str = setting(
        '',
        'truth: publish ~/scene as a model that is always right would; blind: as one that takes '
        'every way for free; empty: none',
        choices=('', 'truth', 'blind'),
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class PatrolNodeConfig:
    """What patrol_node needs beside how to drive (PatrolConfig)."""

    waypoints: tuple[float, ...] = setting(
        (0.0, 0.0), 'x, y, x, y, ... in metres, in the frame of the odometry'
    )
    camera: str = setting(
        '', 'the camera that looks ahead; empty: the only one that there are scenes of'
    )
    rate: float = setting(20.0, 'commands per second', low=1.0, high=200.0)

    def __post_init__(self) -> None:
        check_settings(self)
