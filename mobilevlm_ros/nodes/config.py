"""Settings of the nodes; each field becomes a ROS parameter (see params.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from mobilevlm_ros.engine import ConfigError

NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')


def setting(
    default: Any, description: str, low: float | None = None, high: float | None = None
) -> Any:
    """A field that carries what `params.declare` says about its parameter."""
    return field(default=default, metadata={'description': description, 'low': low, 'high': high})


@dataclass(frozen=True)
class VlmNodeConfig:
    """What vlm_node needs beside the engine's own settings (EngineConfig)."""

    bundle: str = setting('', 'folder of the model; empty: nano, which ships with the package')
    autostart: bool = setting(True, 'configure and activate at start, without a lifecycle manager')
    cameras: tuple[str, ...] = setting(
        ('camera',),
        'names of the cameras; a single one listens to `image`, several to `<name>/image`',
    )
    captions: bool = setting(True, 'publish captions, at most one per `caption_period_s`')

    def __post_init__(self) -> None:
        if not self.cameras or len(set(self.cameras)) < len(self.cameras):
            raise ConfigError(f'cameras is {list(self.cameras)}; give each camera its own name')
        for camera in self.cameras:
            if not NAME.fullmatch(camera):
                raise ConfigError(f"{camera!r} in cameras will not do as a part of a topic's name")

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
