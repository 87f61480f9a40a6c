"""What the launch files make of their arguments before anything starts: no ROS, only values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mobilevlm_ros.nodes.launch_arguments import (
    CAMERA_NAME,
    TOPIC,
    LaunchArgumentError,
    Pairs,
    check_choices,
    read_bundle,
    read_number,
    read_pairs,
    read_params_file,
    read_path,
)

COMPRESSED = '/compressed'
SIMULATED = 'sim'  # instead of a path to play
DEMO_NUMBERS: Mapping[str, type[int] | type[float]] = {
    'seed': int,
    'seconds': float,
    'questions': int,
}

Values = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """The nodes to start, and what they are told beside the parameters file."""

    nodes: tuple[str, ...]  # names, which are those of their executables
    params_file: str
    parameters: Mapping[str, Values]  # by node
    remaps: tuple[tuple[str, str], ...] = ()  # of all nodes; the first that fits counts
    respawn_delay: float = 0.0  # seconds

    def processes(self, together: bool) -> list[tuple[str, ...]]:
        """Executable and arguments of each process."""
        return [('together', *self.nodes)] if together else [(node,) for node in self.nodes]

    def overrides(self, namespace: str) -> str:
        """The text of a second parameters file, by full names: these win over every wildcard.

        Args:
            namespace: absolute, of all nodes.
        """
        prefix = namespace.rstrip('/')
        blocks = {
            f'{prefix}/{node}': {'ros__parameters': values}
            for node, values in self.parameters.items()
        }
        return json.dumps(blocks)  # which is YAML as well


def plan(arguments: Mapping[str, str]) -> Plan:
    """What the arguments of vlm.launch.py ask for.

    Raises:
        LaunchArgumentError: if one of them cannot be used, or two contradict each other.
    """
    cameras = read_cameras(arguments)
    vlm: Values = {'autostart': arguments['autostart'] == 'true'}
    if arguments['bundle']:
        vlm['bundle'] = str(read_bundle(arguments['bundle']))
    if cameras:
        vlm['cameras'] = list(cameras)
        vlm |= {f'{name}.transport': transport(topic) for name, topic in cameras.items()}
    remaps = [*read_pairs('remaps', arguments['remaps'], TOPIC), *image_remaps(arguments, cameras)]
    delay = read_number('respawn_delay', arguments['respawn_delay'], float)
    base = plan_nodes(arguments, {**source_parameters(arguments), 'vlm_node': vlm})
    _refuse_contradictions(arguments)
    return replace(base, remaps=tuple(remaps), respawn_delay=delay)


def plan_nodes(arguments: Mapping[str, str], parameters: Mapping[str, Values]) -> Plan:
    """What the arguments that all launch files share make of these nodes.

    Raises:
        LaunchArgumentError: if one of them cannot be used.
    """
    check_choices(arguments)
    params_file = read_params_file(arguments['params_file'])
    clock = arguments['use_sim_time']
    shared: Values = {'use_sim_time': clock == 'true'} if clock else {}
    given = {node: {**shared, **values} for node, values in parameters.items()}
    return Plan(tuple(given), str(params_file), given)


def check_numbers(arguments: Mapping[str, str]) -> None:
    """Raise LaunchArgumentError if one of the demo's numbers is none."""
    for name, text in arguments.items():
        read_number(name, text, DEMO_NUMBERS[name])


def source_parameters(arguments: Mapping[str, str]) -> dict[str, Values]:
    """Of the node that publishes images, if one is to be started."""
    camera = arguments['camera']
    if camera == SIMULATED:
        return {'sim_node': {'seed': read_number('seed', arguments['seed'], int)}}
    expected = f'a folder of images, a video file, a device or {SIMULATED}'
    return {'camera_node': {'path': str(read_path('camera', camera, expected))}} if camera else {}


def read_cameras(arguments: Mapping[str, str]) -> dict[str, str]:
    """Topics of images by camera; empty: what the parameters file says.

    One camera with compressed images needs a name too, since its transport is told by name.
    """
    pairs = read_pairs('cameras', arguments['cameras'], CAMERA_NAME)
    if not pairs and arguments['image'].endswith(COMPRESSED):
        pairs = read_pairs('image', f'camera={arguments["image"]}', CAMERA_NAME)
    return dict(pairs)


def image_remaps(arguments: Mapping[str, str], cameras: Mapping[str, str]) -> Pairs:
    """From the topics that vlm_node listens to, to those of the cameras."""
    if not cameras:
        image = arguments['image']
        read_pairs('image', f'image={image}', TOPIC)  # refuses what is no topic
        raw = [('image', image), (f'image{COMPRESSED}', f'{image}{COMPRESSED}')]
        return [] if image == 'image' else raw
    return [
        (('image' if len(cameras) == 1 else f'{name}/image') + suffix(topic), topic)
        for name, topic in cameras.items()
    ]


def suffix(topic: str) -> str:
    """What the node adds to the name of a topic of such images."""
    return COMPRESSED if topic.endswith(COMPRESSED) else ''


def transport(topic: str) -> str:
    """How images come on the topic, by the usual names."""
    return 'compressed' if suffix(topic) else 'raw'


def shared_file(text: str) -> str:
    """The path of a file with this text that is there as long as this process is.

    It lies in memory: nothing is left behind, however launch ends, and a process that is started
    again still finds it.
    """
    number = os.memfd_create('parameters')
    os.write(number, text.encode())
    return f'/proc/{os.getpid()}/fd/{number}'


def _refuse_contradictions(arguments: Mapping[str, str]) -> None:
    many = bool(arguments['cameras'].strip())
    if many and (arguments['camera'] or arguments['image'] != 'image'):
        raise LaunchArgumentError(
            'cameras names the topics of all cameras; leave image and camera out, and start a '
            'camera_node for each camera that has no driver'
        )
    if arguments['camera'] and suffix(arguments['image']):
        raise LaunchArgumentError(
            f'image: camera publishes raw images, so {arguments["image"]!r} must not end in '
            f'{COMPRESSED}'
        )
    if arguments['respawn'] == 'true' and arguments['autostart'] != 'true':
        raise LaunchArgumentError(
            'respawn:=true needs autostart:=true: nobody would configure and activate vlm_node '
            'again; with a lifecycle manager, let that start it again'
        )
