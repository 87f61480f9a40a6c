"""Where the pages' commands run: a folder that looks like the source tree, beside live nodes."""

import os
import shutil
import stat
import sys
from pathlib import Path
from shlex import quote

import pytest

from tests.nodes.conftest import client, client_in, make_node, processes, start, start_fake

__all__ = ['client', 'client_in', 'make_node', 'processes', 'start', 'start_fake']
HERE = Path(__file__).parent


@pytest.fixture
def tree(root, tmp_path):
    """A folder of links: the source tree, this environment as `.venv`, nano as a bundle."""
    folder = tmp_path / 'tree'
    folder.mkdir()
    for path in root.iterdir():
        if not path.name.startswith(('.', 'build', 'out')):
            (folder / path.name).symlink_to(path)
    (folder / '.venv').symlink_to(sys.prefix)
    (folder / 'bundles').mkdir()
    (folder / 'bundles' / 'mine').symlink_to(root / 'models' / 'nano')
    return folder


@pytest.fixture
def environ(root, tmp_path, ros_domain):
    """Variables for the pages' commands: `ros2` and `make` are ours."""
    programs = tmp_path / 'programs'
    programs.mkdir()
    ros2 = f'{quote(sys.executable)} {quote(str(HERE / "ros2.py"))}'
    write_program(programs / 'ros2', f'exec {ros2} "$@"')
    # The environment is there; setting it up again, through a link, would begin from nothing.
    make = f'exec env -u MAKEFLAGS {shutil.which("make")} -o setup "$@"'
    write_program(programs / 'make', make)
    path = [programs, Path(sys.prefix, 'bin'), os.environ['PATH']]
    return {
        **os.environ,
        'PATH': os.pathsep.join(map(str, path)),
        'PYTHONPATH': os.pathsep.join(map(str, [HERE / 'stand_ins', root])),
    }


def write_program(path, line):
    path.write_text(f'#!/bin/sh\n{line}\n', encoding='utf-8')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def vlm_node(start, client):
    """vlm_node with nano in front of the simulated robot's camera, once it answers."""
    start('sim_node', seed=3)
    start('vlm_node', max_age_s=0.0)
    client.wait(lambda: client.ask('What is ahead?').status.code == 0)
