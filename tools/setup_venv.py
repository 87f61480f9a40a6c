"""Sets up everything that the demo and the tests need in a virtual environment.

Asks the system for Python, its headers and a C++ compiler, and for nothing else. Each step
leaves a stamp with a digest of what it was made from, and is skipped while that holds.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
TORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
STEP_COUNT = re.compile(r'^\s*\[(\d+/\d+)\]', re.MULTILINE)


class SetupError(Exception):
    """Something is missing or failed; the message says what to do."""


def check_system() -> None:
    """Raises SetupError if Python or the system lacks something that cannot be installed here."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        raise SetupError(
            f'Python {sys.version_info[0]}.{sys.version_info[1]} is not served: '
            'use 3.10 to 3.12, for example with `make PYTHON=python3.12 ...`'
        )
    missing = []
    if importlib.util.find_spec('ensurepip') is None:
        missing.append(('the venv module', 'python3-venv'))
    if not Path(sysconfig.get_paths()['include'], 'Python.h').exists():
        missing.append(("Python's C headers", 'python3-dev'))
    compilers = [os.environ.get('CXX', '').split(' ')[0], 'c++', 'g++', 'clang++']
    if not any(shutil.which(name) for name in compilers if name):
        missing.append(('a C++ compiler', 'g++'))
    if missing:
        names = ' and '.join(name for name, _ in missing)
        packages = ' '.join(package for _, package in missing)
        raise SetupError(f'{names} not found; on Debian and Ubuntu: sudo apt install {packages}')


def digest(*parts: Path | str) -> str:
    """Returns a digest over texts and over files, or all files in folders, with their names."""
    result = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            result.update(part.encode())
            continue
        for path in sorted(part.rglob('*')) if part.is_dir() else [part]:
            if path.is_file() and '__pycache__' not in path.parts:
                result.update(str(path.relative_to(ROOT)).encode() + b'\0')
                result.update(path.read_bytes())
    return result.hexdigest()


def file_names(*folders: str) -> str:
    """Returns the names of all files below the folders, one a line."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob('*') if path.is_file())
    names = (str(path.relative_to(ROOT)) for path in paths if '__pycache__' not in path.parts)
    return '\n'.join(sorted(names))


class Environment:
    """One virtual environment and the steps that fill it."""

    def __init__(self, folder: Path, distro: str) -> None:
        self.folder = folder
        self.distro = distro
        self.python = folder / 'bin' / 'python'
        self.stamps = folder / 'stamps'
        self.log = folder / 'setup.log'
        names = ('constraints', f'constraints-{distro}')
        self.pins = [word for name in names for word in ('-c', f'requirements/{name}.txt')]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps two runs of this script from filling one environment at the same time."""
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / 'setup.lock', 'w', encoding='utf-8') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f'Waiting for another set-up of {self.folder.name} to end', flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def step(self, name: str, title: str, inputs: str, action: Callable[[], None]) -> str:
        """Does the action unless its stamp shows that it was done from the same inputs."""
        stamp = self.stamps / name
        if not stamp.exists() or stamp.read_text(encoding='utf-8') != inputs:
            print(f'{self.folder.name}: {title}', flush=True)
            started = time.monotonic()
            stamp.unlink(missing_ok=True)
            action()
            self.stamps.mkdir(exist_ok=True)
            stamp.write_text(inputs, encoding='utf-8')
            print(f'  done in {time.monotonic() - started:.0f} s', flush=True)
        return inputs

    def run(self, *command: str | Path, cwd: Path = ROOT) -> None:
        """Runs a command, its output into the log, and shows that time passes."""
        self.stamps.mkdir(parents=True, exist_ok=True)
        words = [str(word) for word in command]
        with open(self.log, 'a+', encoding='utf-8', errors='replace') as log:
            log.write(f'\n$ {shlex.join(words)}\n')
            log.flush()
            begin = log.tell()
            environ = {**os.environ, 'PYTHONUNBUFFERED': '1'}
            environ['PATH'] = os.pathsep.join([str(self.folder / 'bin'), environ['PATH']])
            process = subprocess.Popen(
                words, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            show_progress(process, self.log, begin)
            if process.returncode:
                log.seek(begin)
                tail = ''.join(log.readlines()[-30:])
                raise SetupError(f'{tail}\nthis failed: {words[0]} (whole log: {self.log})')

    def pip(self, *arguments: str | Path) -> None:
        """Runs `pip install` with this project's pins."""
        pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input', 'install']
        self.run(self.python, *pip, *self.pins, *arguments)

    def create(self) -> None:
        """Makes an empty environment, whatever was there."""
        for path in self.folder.iterdir():
            if path.name != 'setup.lock':
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        self.run(sys.executable, '-m', 'venv', self.folder)

    def install_ros(self) -> None:
        """Installs the ROS wheels and mends them."""
        self.pip('-r', 'requirements/run.txt', '-r', f'requirements/ros-{self.distro}.txt')
        self.run(self.python, ROOT / 'tools' / 'fix_ros_wheels.py')

    def install_llama(self) -> None:
        """Compiles llama.cpp, or takes what was compiled earlier, for any environment."""
        script, wheels = ROOT / 'tools' / 'install_llama.py', ROOT / 'build' / 'llama'
        self.run(self.python, script, wheels, *self.pins, '-r', 'requirements/llama.txt')

    def install_tests(self) -> None:
        """Installs what the checks and tests need."""
        self.pip('-r', 'requirements/dev.txt')
        script = ROOT / 'tools' / 'install_tensorrt_names.py'
        self.run(self.python, script, REQUIREMENTS / 'tensorrt-names.txt')

    def install_training(self) -> None:
        """Installs the training extras with the CPU build of torch."""
        pins = (REQUIREMENTS / 'constraints.txt').read_text(encoding='utf-8').split()
        cpu_build = next(pin for pin in pins if pin.startswith('torch==')) + '+cpu'
        try:
            self.pip('--no-deps', cpu_build)
        except SetupError:
            self.pip('--no-deps', '--extra-index-url', TORCH_CPU_INDEX, cpu_build)
        self.pip('-r', 'requirements/train.txt')

    def build(self) -> None:
        """Builds the interfaces and installs the package into the environment.

        Python files are installed as links, so that edits need no new build.
        """
        build = self.folder / 'build'
        self.run(
            self.folder / 'bin' / 'cmake', '-S', ROOT, '-B', build, '-G', 'Ninja',
            f'-DCMAKE_INSTALL_PREFIX={self.folder}', f'-DCMAKE_PREFIX_PATH={self.folder}',
            f'-DPython3_EXECUTABLE={self.python}', f'-DPYTHON_EXECUTABLE={self.python}',
            '-DPython3_FIND_VIRTUALENV=ONLY', '-DAMENT_CMAKE_SYMLINK_INSTALL=ON',
            '-DBUILD_TESTING=OFF',
        )
        self.run(self.folder / 'bin' / 'cmake', '--build', build, '--target', 'install')
        for part in ('lib', 'share'):
            prune_links(self.folder / part)
        self.write_command()

    def write_command(self) -> None:
        """Writes bin/mobilevlm. A shebang could hold neither spaces nor a long path."""
        command = self.folder / 'bin' / 'mobilevlm'
        command.unlink(missing_ok=True)  # what CMake installed is a link to the source
        script = self.folder / 'lib' / 'mobilevlm_ros' / 'mobilevlm'
        command.write_text(
            f'#!/bin/sh\nexec {shlex.quote(str(self.python))} {shlex.quote(str(script))} "$@"\n',
            encoding='utf-8',
        )
        command.chmod(0o755)


def prune_links(folder: Path) -> None:
    """Removes the links to files that the source tree no longer has."""
    for path in folder.rglob('*'):
        if path.is_symlink() and not path.exists() and ROOT in path.readlink().parents:
            path.unlink()


def show_progress(process: subprocess.Popen[bytes], log: Path, begin: int) -> None:
    """Waits for the process, and shows the time and the compiler's progress meanwhile."""
    terminal = sys.stdout.isatty()
    interval = 1 if terminal else 30
    started = time.monotonic()
    while True:
        try:
            process.wait(interval)
            break
        except subprocess.TimeoutExpired:
            line = f'  {time.monotonic() - started:.0f} s{build_step(log, begin)}'
            shown = f'\r{line}\033[K' if terminal else f'{line}\n'
            print(shown, end='', flush=True)
    if terminal:
        print('\r\033[K', end='', flush=True)


def build_step(log: Path, begin: int) -> str:
    """Returns how far ninja got since `begin` in its output, such as ', step 17/193'."""
    with open(log, 'rb') as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - 20_000))
        steps = STEP_COUNT.findall(file.read().decode(errors='replace'))
    return f', compiler step {steps[-1]}' if steps else ''


def set_up(environment: Environment, extras: list[str]) -> None:
    """Does all steps that are not done yet."""
    distro = environment.distro
    pins = (REQUIREMENTS / 'constraints.txt', REQUIREMENTS / f'constraints-{distro}.txt')

    venv = environment.step(
        'venv', 'creating the environment',
        digest(str(environment.folder), sys.version, os.path.realpath(sys.executable)),
        environment.create,
    )
    ros = environment.step(
        'ros', f'installing ROS 2 {distro.capitalize()} and the runtime (150 MB)',
        digest(venv, *pins, REQUIREMENTS / 'run.txt', REQUIREMENTS / f'ros-{distro}.txt',
               ROOT / 'tools' / 'fix_ros_wheels.py'),
        environment.install_ros,
    )
    names = ('msg', 'srv', 'action', 'CMakeLists.txt', 'package.xml')
    interfaces = [ROOT / name for name in names]
    installed = file_names('mobilevlm_ros', 'scripts', 'launch', 'config', 'models')
    environment.step(
        'build', 'building the interfaces and the package',
        digest(ros, installed, *interfaces), environment.build,
    )
    environment.step(
        'llama', 'installing llama-cpp-python; the first time it compiles llama.cpp, '
        'which takes several minutes',
        digest(venv, *pins, REQUIREMENTS / 'llama.txt', ROOT / 'tools' / 'install_llama.py'),
        environment.install_llama,
    )
    if 'dev' in extras:
        environment.step(
            'dev', 'installing what the checks and tests need',
            digest(venv, *pins, REQUIREMENTS / 'dev.txt', REQUIREMENTS / 'tensorrt-names.txt',
                   ROOT / 'tools' / 'install_tensorrt_names.py'),
            environment.install_tests,
        )
    if 'train' in extras:
        environment.step(
            'train', 'installing what training and conversion need (CPU build of torch, 200 MB)',
            digest(venv, *pins, REQUIREMENTS / 'train.txt'), environment.install_training,
        )


def main() -> int:
    """Sets the environment up, or says in one line what is in the way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--distro', choices=['jazzy', 'kilted'], default='jazzy')
    parser.add_argument('--folder', type=Path, default=ROOT / '.venv')
    parser.add_argument('--with', dest='extras', action='append', default=[],
                        choices=['dev', 'train'], help='an extra to install too')
    args = parser.parse_args()
    environment = Environment(args.folder.absolute(), args.distro)
    try:
        check_system()
        with environment.locked():
            set_up(environment, args.extras)
    except SetupError as error:
        print(f'setup: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('setup: interrupted; the next run goes on from here', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
