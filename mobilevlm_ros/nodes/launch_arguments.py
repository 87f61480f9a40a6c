"""Arguments of the launch files: what each may be, and what is said of one that cannot be used.

No ROS and no engine: `ros2 launch` runs in the system's Python, where the engine may be missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

PACKAGE = 'mobilevlm_ros'
NODES = ('vlm_node', 'camera_node', 'sim_node', 'patrol_node')
MOST = {'seed': 1 << 31}  # as the parameters of the nodes
WILDCARDS = ('*', '**')  # in place of a node's name
CAMERA_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
TOPIC = re.compile(r'(~/|/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)
MANIFEST = 'bundle.json'
SWITCH = ('true', 'false')
CHOICES = {
    'autostart': SWITCH,
    'composition': SWITCH,
    'log_level': ('debug', 'info', 'warn', 'error', 'fatal'),
    'respawn': SWITCH,
    'sim': SWITCH,
    'use_sim_time': ('', *SWITCH),
}

# What `ros2 launch` itself reads.
OF_LAUNCH = ('launch-prefix', 'launch-prefix-filter', 'emulate_tty', 'sigterm_timeout',
             'sigkill_timeout')

Pairs = list[tuple[str, str]]


class LaunchArgumentError(ValueError):
    """A launch argument cannot be used; the message says why, and what can."""


def check_names(command: Sequence[str], file: Path, known: Collection[str]) -> None:
    """Refuse an argument that nothing reads; `ros2 launch` ignores it.

    Args:
        command: that this process was started with. Nothing is checked unless it names the launch
            file: if another one includes it, arguments may be that one's own.
        file: the launch file.
        known: all arguments of it and of the files that it includes.

    Raises:
        LaunchArgumentError: naming the known one that is most alike.
    """
    for name in _given_names(command, file):
        if name not in known and name not in OF_LAUNCH:
            near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise LaunchArgumentError(
                f'{file.name} has no argument {name}; did you mean {near}? All of them: '
                f'ros2 launch {PACKAGE} {file.name} --show-args'
            )


def one_of(argument: str) -> str:
    """What an argument that is a choice may be, for its description and for errors."""
    listed = ', '.join(choice or "'' (empty)" for choice in CHOICES[argument])
    return f'one of: {listed}'


def check_choices(arguments: Mapping[str, str]) -> None:
    """Raise LaunchArgumentError if one that is a choice is none of what it may be."""
    for name in CHOICES.keys() & arguments.keys():
        if arguments[name] not in CHOICES[name]:
            raise LaunchArgumentError(f'{name} is {arguments[name]!r}; give {one_of(name)}')


def read_path(argument: str, text: str, expected: str) -> Path:
    """A path that is there, `~` expanded.

    Raises:
        LaunchArgumentError: if it is not there, or no home folder is known.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        reason = 'no such home folder is known; set HOME, or give the whole path'
        raise LaunchArgumentError(f'{argument}: {text}: {reason}') from error
    if not path.exists():
        raise LaunchArgumentError(f'{argument}: {path} does not exist; give {expected}')
    return path


def read_bundle(text: str) -> Path:
    """The folder of a model."""
    expected = f'a folder with a {MANIFEST}, such as one made by `mobilevlm convert`'
    return read_path('bundle', f'{text.rstrip("/")}/{MANIFEST}', expected).parent


def read_params_file(text: str) -> Path:
    """A file with parameters of nodes.

    Raises:
        LaunchArgumentError: if it is not there or is not such a file; what the nodes say of their
            own parameters comes later.
    """
    path = read_path('params_file', text, 'a YAML file with parameters')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise LaunchArgumentError(f'params_file: {path} cannot be read: {reason}') from error
    names = sorted(_with_parameters(content))
    if not names:
        raise LaunchArgumentError(
            f'params_file: {path} has no parameters; give a YAML file such as '
            '{vlm_node: {ros__parameters: {look_rate_hz: 2.0}}}'
        )
    if not set(names) & {*NODES, *WILDCARDS}:
        raise LaunchArgumentError(
            f'params_file: {path} has parameters of {", ".join(names)}, but of none of our nodes: '
            f'{", ".join(NODES)}, or /** for all'
        )
    return path


def read_pairs(argument: str, text: str, left: re.Pattern[str]) -> Pairs:
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
    """A number that is not negative, and not above its entry in MOST.

    Raises:
        LaunchArgumentError: if it is none.
    """
    most = MOST.get(argument, math.inf)
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most or number == math.inf:
        upwards = 'on' if most == math.inf else f'to {most}'
        raise LaunchArgumentError(f'{argument} is {text!r}; give a number from 0 {upwards}')
    return number


def _given_names(command: Sequence[str], file: Path) -> list[str]:
    """Of the arguments behind the launch file; none if the command does not name it."""
    for at, (before, word) in enumerate(pairwise(command), 2):
        if _is_named(before, Path(word), file):
            return [word.partition(':=')[0] for word in command[at:] if ':=' in word]
    return []


def _is_named(before: str, path: Path, file: Path) -> bool:
    """Whether this is the launch file, behind the name of its package or as a path."""
    if path.name != file.name:
        return False
    return before == PACKAGE or (path.is_file() and path.samefile(file))


def _with_parameters(section: Any) -> set[str]:
    """The nodes that a file has parameters of, without the namespaces before their names."""
    if not isinstance(section, dict):
        return set()
    names = {
        str(name).rpartition('/')[2]
        for name, below in section.items()
        if isinstance(below, dict) and isinstance(below.get('ros__parameters'), dict)
    }
    return names.union(*map(_with_parameters, section.values()))


def _expected(argument: str, part: str) -> str:
    examples = {
        'cameras': 'name=topic of each camera, such as '
        '`cameras:=front=/front/image_raw,rear=/rear/image_raw/compressed`',
        'remaps': 'from=to, such as `remaps:=/diagnostics=/robot/diagnostics,odom=/wheels/odom`',
        'image': 'a topic, such as `image:=/camera/image_raw`',
    }
    part = part.partition('=')[2] if argument == 'image' else part
    return f'{argument}: {part!r} cannot be used; give {examples[argument]}'
