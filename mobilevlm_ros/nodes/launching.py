"""What vlm.launch.py makes of its arguments before it starts anything: no ROS, only values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CAMERA_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
TOPIC = re.compile(r'(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
COMPRESSED = '/compressed'
SIMULATED = 'sim'  # instead of a path to play

Remap = tuple[str, str]
Values = dict[str, Any]


class LaunchArgumentError(ValueError):
    """A launch argument will not do; the message says why and what would."""


@dataclass(frozen=True)
class Plan:
    """The nodes to start, and what they are told beside the parameters file."""

    nodes: tuple[str, ...]  # names, which are those of their executables
    parameters: Mapping[str, Values]  # by node
    remaps: tuple[Remap, ...]  # of all nodes; the first that fits counts

    def processes(self, together: bool) -> list[tuple[str, ...]]:
        """Executable and arguments of each process."""
        return [('together', *self.nodes)] if together else [(node,) for node in self.nodes]

    def parameters_file(self, namespace: str) -> str:
        """The text of a parameters file, by full names: these win over every wildcard.

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
        LaunchArgumentError: if one of them will not do, or two contradict each other.
    """
    _refuse_contradictions(arguments)
    cameras = read_cameras(arguments)
    vlm: Values = {'autostart': arguments['autostart'] == 'true'}
    if arguments['bundle']:
        vlm['bundle'] = arguments['bundle']
    if cameras:
        vlm['cameras'] = list(cameras)
        vlm |= {f'{name}.transport': transport(topic) for name, topic in cameras.items()}
    source = source_parameters(arguments)
    parameters = {**source, 'vlm_node': vlm}
    remaps = [*read_pairs('remaps', arguments['remaps'], TOPIC), *image_remaps(arguments, cameras)]
    return Plan(tuple(parameters), parameters, tuple(remaps))


def source_parameters(arguments: Mapping[str, str]) -> dict[str, Values]:
    """Of the node that publishes images, if one is to be started."""
    camera = arguments['camera']
    if camera == SIMULATED:
        return {'sim_node': {'seed': read_number('seed', arguments['seed'], int)}}
    return {'camera_node': {'path': camera}} if camera else {}


def read_cameras(arguments: Mapping[str, str]) -> dict[str, str]:
    """Topics of images by camera; empty: what the parameters file says.

    One camera with compressed images needs a name too, since its transport is told by name.
    """
    pairs = read_pairs('cameras', arguments['cameras'], CAMERA_NAME)
    if not pairs and arguments['image'].endswith(COMPRESSED):
        pairs = read_pairs('image', f'camera={arguments["image"]}', CAMERA_NAME)
    return dict(pairs)


def image_remaps(arguments: Mapping[str, str], cameras: Mapping[str, str]) -> list[Remap]:
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


def read_pairs(argument: str, text: str, left: re.Pattern[str]) -> list[Remap]:
    """`a=b,c=d` as pairs of a name and a topic; spaces do as well as commas.

    Raises:
        LaunchArgumentError: naming the part that is wrong.
    """
    pairs = [(a, b) for part in re.split(r'[,\s]+', text.strip()) if part
             for a, _, b in [part.partition('=')]]
    for a, b in pairs:
        if not (left.fullmatch(a) and TOPIC.fullmatch(b)):
            raise LaunchArgumentError(_expected(argument, f'{a}={b}' if b else a))
    names = [a for a, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LaunchArgumentError(f'{argument}: {twice[0]} is there twice; give each one once')
    return pairs


def read_number(argument: str, text: str, kind: type[int] | type[float]) -> float:
    """A number that is not negative.

    Raises:
        LaunchArgumentError: if it is none.
    """
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 <= number < float('inf'):
        raise LaunchArgumentError(f'{argument} is {text!r}; give a number from 0 on')
    return number


def _expected(argument: str, part: str) -> str:
    examples = {
        'cameras': 'name=topic of each camera, such as '
        '`cameras:=front=/front/image_raw,rear=/rear/image_raw/compressed`',
        'remaps': 'from=to, such as `remaps:=/diagnostics=/robot/diagnostics,odom=/wheels/odom`',
        'image': 'a topic, such as `image:=/camera/image_raw`',
    }
    part = part.partition('=')[2] if argument == 'image' else part
    return f'{argument}: {part!r} will not do; give {examples[argument]}'


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
