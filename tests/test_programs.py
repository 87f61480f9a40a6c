"""How programs end."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from mobilevlm_ros.engine import MobileVlmError
from mobilevlm_ros.programs import hold_interrupts, run

PRINTS = 'import sys; from mobilevlm_ros.programs import run; sys.exit(run("it", lambda: {}))'


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


def child(expression: str, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', PRINTS.format(expression)]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, **settings)


def test_the_programs_own_code_is_kept() -> None:
    assert run('it', lambda: 1) == 1


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (MobileVlmError('no such\n   image; try another'), 'no such image; try another'),
        (OSError(errno.ENOSPC, 'No space left on device'), 'No space left on device'),
        (PermissionError(errno.EACCES, 'Permission denied', '/x'), '/x: Permission denied'),
        (ModuleNotFoundError(name='torch.nn'), 'needs torch: pip install torch'),
        (ModuleNotFoundError(name='llama_cpp'), 'needs llama_cpp: pip install llama-cpp-python'),
        (ModuleNotFoundError(name='cv2'), 'needs cv2: pip install opencv-python-headless'),
        (
            ModuleNotFoundError(name='rclpy'),
            'needs rclpy: source the set-up file of ROS 2, /opt/ros/<distro>/setup.bash',
        ),
        (
            ModuleNotFoundError(name='mobilevlm_ros.msg'),
            'needs mobilevlm_ros.msg: build the package with colcon and source install/setup.bash',
        ),
    ],
)
def test_what_the_user_can_put_right_takes_one_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run('it', raising(error)) == 2
    assert capsys.readouterr().err == f'it: {line}\n'


@pytest.mark.parametrize(
    'error', [ModuleNotFoundError(name='mobilevlm_ros.engine.lost'), ValueError('x'), KeyError(1)]
)
def test_a_fault_of_ours_is_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)):
        run('it', raising(error))


def test_ctrl_c_ends_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run('it', raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ''


def test_a_child_that_is_interrupted_as_it_begins_ends_without_a_word() -> None:
    program = (
        'from mobilevlm_ros.programs import heed_interrupts\n'
        'print("begun", flush=True)\nheed_interrupts()\nprint("went on")'
    )
    with hold_interrupts():
        begun = subprocess.Popen(
            [sys.executable, '-c', program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    begun.send_signal(signal.SIGINT)
    assert begun.communicate() == (b'begun\n', b'')
    assert begun.returncode == -signal.SIGINT


def test_output_that_nobody_reads_ends_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    done = child('print("few words")', stdout=write)  # written when it ends
    os.close(write)
    assert (done.returncode, done.stderr) == (141, '')


def test_a_full_disk_takes_one_line() -> None:
    with open('/dev/full', 'w') as full:
        done = child('print("few words")', stdout=full)
    assert (done.returncode, done.stderr) == (2, 'it: No space left on device\n')


def test_what_the_terminal_cannot_show_is_printed_as_an_escape() -> None:
    environ = {**os.environ, 'PYTHONIOENCODING': 'ascii', 'PYTHONUTF8': '0', 'LC_ALL': 'C'}
    done = child('print("caf\\u00e9") or 0', stdout=subprocess.PIPE, env=environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'caf\\xe9\n', '')
