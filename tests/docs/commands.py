"""What can be said of a command that is not run: the names and options in it exist."""

import argparse
import contextlib
import importlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import yaml

from mobilevlm_ros.arguments import any_path, file, folder, new_file, new_folder
from mobilevlm_ros.cli.main import overview
from mobilevlm_ros.nodes.launch_arguments import check_choices
from tests.docs.messages import fill, interface
from tests.docs.pages import ROOT

# ROS's launch library, which is not on PyPI.
LAUNCH = ('launch', 'launch.actions', 'launch.event_handlers', 'launch.events.process',
          'launch.launch_description_sources', 'launch.substitutions', 'launch_ros',
          'launch_ros.actions', 'launch_ros.substitutions', 'launch_ros.utilities')

PLACES = (file, folder, new_file, new_folder)


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a shell text, each as its words."""
    for line in text.replace('\\\n', ' ').splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ';']:
            if not set(word) <= set(';|&()<>'):
                words.append(word)
                continue
            if words := plain(words):
                yield words
            words = []


def plain(words: list[str]) -> list[str]:
    """Without what stands before a program: variables, and other programs that start it."""
    while words and (re.match(r'\w+=', words[0]) or words[0] in ('sudo', 'time', 'alias')):
        words = words[1:]
    if words[1:2] == ['tools/environment.py']:
        return plain(words[2:])
    return words


def fault(words: list[str]) -> str:
    """What is wrong with a command, as far as it is known here; empty: nothing."""
    check = CHECKS.get(Path(words[0]).name)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            if check:
                check(words[1:])
    except (Exception, SystemExit) as error:
        return f'{shlex.join(words)}: {said.getvalue()[-200:] or repr(error)}'
    return ''


def check_mobilevlm(arguments: list[str]) -> None:
    """The verb takes these arguments; one that stands alone is only spoken of."""
    verb = overview().parse_args(arguments[:1]).verb
    if arguments[1:] and not {'...', '--help'} & set(arguments):
        module = importlib.import_module(f'mobilevlm_ros.cli.{verb.replace("-", "_")}')
        parser = argparse.ArgumentParser()
        module.configure(parser)
        for action in parser._actions:
            if action.type in PLACES:
                action.type = any_path  # what a page speaks of need not be there
        parser.parse_args(arguments[1:])


def check_make(arguments: list[str]) -> None:
    """The targets and variables exist."""
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = re.search(r'^\.PHONY: (.*)$', makefile, re.MULTILINE)[1].split()
    for argument in arguments:
        name, is_variable, _ = argument.partition('=')
        assert f'$({name})' in makefile if is_variable else name in targets, argument


def check_ros2(arguments: list[str]) -> None:
    """The files, arguments, interfaces and fields of ours exist."""
    match arguments:
        case ['launch', 'mobilevlm_ros', file, *rest]:
            check_launch(file, rest)
        case ['run', 'mobilevlm_ros', program, *_]:
            assert (ROOT / 'scripts' / program).exists(), program
        case ['service', 'call', _, kind, values]:
            fill(interface(kind).Request(), yaml.safe_load(values))
        case ['pkg', 'prefix', *_, package]:
            assert package == 'mobilevlm_ros'
        case ['topic', 'echo', _] | ['param', 'describe', _, _]:
            pass  # of a running node
        case ['launch'] | ['launch', '...'] | ['param', 'set']:
            pass  # only spoken of
        case ['topic', 'pub', *_, kind, values]:
            fill(interface(kind)(), yaml.safe_load(values))
        case ['security', *_] | ['run', 'v4l2_camera', *_]:
            pass  # not ours
        case _:
            raise ValueError('nothing is known of this')


def check_launch(file: str, arguments: list[str]) -> None:
    """The launch file declares the arguments, and allows their values."""
    declared = launch_arguments(file)
    for argument in arguments:
        if argument == '--show-args':
            continue
        name, _, value = argument.partition(':=')
        assert name in declared, f'{file} has no argument {name}'
        check_choices({name: value})


def launch_arguments(file: str) -> dict[str, dict[str, Any]]:
    """What a launch file, and one that it includes, declares of each of its arguments."""
    modules = {name: MagicMock() for name in LAUNCH}
    modules['launch.actions'].DeclareLaunchArgument = lambda name, **about: (name, about)
    with patch.dict(sys.modules, modules):
        own = dict(runpy.run_path(str(ROOT / 'launch' / file))['ARGUMENTS'])
    return own if file == 'vlm.launch.py' else {**launch_arguments('vlm.launch.py'), **own}


def check_script(arguments: list[str]) -> None:
    """A script of ours exists and knows the options."""
    if arguments and arguments[0].endswith('.py'):
        source = (ROOT / arguments[0]).read_text(encoding='utf-8')
        for option in (word for word in arguments[1:] if word.startswith('--')):
            assert f"'{option}'" in source, option


def check_paths(arguments: list[str]) -> None:
    """The tests exist."""
    for argument in arguments:
        assert argument.startswith('-') or (ROOT / argument).exists(), argument


CHECKS = {
    'mobilevlm': check_mobilevlm,
    'make': check_make,
    'ros2': check_ros2,
    'python': check_script,
    'pytest': check_paths,
}
