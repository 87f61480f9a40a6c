"""What a node says when ROS cannot start: one line with what to set, and exit code 2."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros

NODE = [sys.executable, '-m', 'mobilevlm_ros.nodes.sim_node']


def ended(*arguments, **environment):
    """Exit code and stderr; a variable that is None is not set."""
    environ = {**os.environ, **environment}
    environ = {name: value for name, value in environ.items() if value is not None}
    done = subprocess.run([*NODE, *arguments], env=environ, capture_output=True, timeout=120)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize('folder', [{'HOME': '/dev/null'}, {'ROS_LOG_DIR': '/dev/null/logs'}])
def test_a_folder_for_logs_that_cannot_be_written_to(ros_domain, folder):
    code, error = ended(**{'ROS_LOG_DIR': None, 'ROS_HOME': None, **folder})
    assert code == 2
    assert error.startswith('sim_node: ') and error.count('\n') == 1
    assert 'set HOME or ROS_LOG_DIR to a folder that can be written to' in error


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['-p', 'seed'], "'-p seed'"),
        (['--params-file', '/nowhere.yaml'], '/nowhere.yaml'),
        (['-p', b'frame_id:=caf\xe9'], 'UTF-8'),
        (['--log-level', 'loud'], 'loud'),
    ],
)
def test_arguments_that_ros_refuses(ros_domain, arguments, named):
    code, error = ended('--ros-args', *arguments)
    line = error.splitlines()[-1]  # behind what rcl may log itself
    assert code == 2 and 'Traceback' not in error
    assert line.startswith('sim_node: ')
    assert named in line and '/src/' not in line
