"""How every program of the package ends: exit codes, and errors in one line."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

# What pip calls the modules that bundles, conversion and training need, where the name differs.
PACKAGES = {
    'PIL': 'Pillow',
    'cv2': 'opencv-python-headless',
    'google': 'protobuf',
    'llama_cpp': 'llama-cpp-python',
    'yaml': 'PyYAML',
}
ROS = frozenset(
    ('ament_index_python', 'diagnostic_msgs', 'geometry_msgs', 'lifecycle_msgs', 'nav_msgs',
     'rcl_interfaces', 'rclpy', 'sensor_msgs', 'std_msgs')
)  # fmt: skip
INTERFACES = ('mobilevlm_ros.msg', 'mobilevlm_ros.srv', 'mobilevlm_ros.action')
INTERRUPTED = 130  # as shells count SIGINT
PIPE_CLOSED = 141  # and SIGPIPE


def mobilevlm() -> int:
    """The `mobilevlm` command."""
    return run_module('mobilevlm_ros.cli.main')


def run_module(name: str) -> int:
    """Import a module and run its `main`, so that Ctrl-C during the imports ends quietly too."""
    module = name.removesuffix('.main').rpartition('.')[2]
    return run(module, lambda: int(importlib.import_module(name).main()))


def run(program: str, main: Callable[[], int]) -> int:
    """Run a program.

    Args:
        program: its name, which errors begin with.
        main: gives the exit code.

    Returns:
        that code; 2 after an error that the user can do something about, which stderr then names
        in one line; 130 after Ctrl-C; 141 when nobody reads the output any more.
    """
    _print_anything()
    try:
        code = main()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python fails again as it exits
        return PIPE_CLOSED
    except Exception as error:
        if not (message := explain(error)):
            raise
        sys.stderr.write(f'{program}: {message}\n')
        return 2


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back while child processes are started.

    This process hears it at the end of the block, a child once it calls `heed_interrupts`: one
    that is interrupted in its imports would print a traceback.
    """
    resource_tracker.ensure_running()  # else the first child starts it, which lets signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heed_interrupts() -> None:
    """In a child process: end at once at Ctrl-C, without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))


def explain(error: Exception) -> str:
    """What went wrong, in one line; empty if it is a fault of ours."""
    if isinstance(error, ModuleNotFoundError):
        return _missing(error.name or '')
    if isinstance(error, OSError) and error.strerror:
        return ': '.join(str(part) for part in (error.filename, error.strerror) if part)
    from mobilevlm_ros.engine import MobileVlmError

    return ' '.join(str(error).split()) if isinstance(error, MobileVlmError) else ''


def _missing(name: str) -> str:
    module = name.partition('.')[0]
    if name.startswith(INTERFACES):
        return f'needs {name}: build the package with colcon and source install/setup.bash'
    if module == 'mobilevlm_ros':
        return ''
    if module in ROS:
        return f'needs {module}: source the set-up file of ROS 2, /opt/ros/<distro>/setup.bash'
    return f'needs {module}: pip install {PACKAGES.get(module, module)}'


def _print_anything() -> None:
    """Let what the terminal's encoding does not have be printed as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')
