"""Installs llama-cpp-python into this Python, compiled so that it runs on this processor.

As a command, `install_llama.py FOLDER ARGUMENT ...`: what was compiled is kept in the folder, so
that several environments share it; the arguments go to pip. GCC compiles llama.cpp's AMX kernels
into ones that end the process (https://github.com/ggml-org/llama.cpp/issues/20824), so they are
left out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

NO_AMX = '-mno-amx-int8'
COMPILER_VARIABLES = ('CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'CMAKE_ARGS')
SYSTEM_INFO = 'import llama_cpp; print(llama_cpp.llama_print_system_info().decode())'
PIP = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '--no-input']


def knows(flag: str, environ: Mapping[str, str]) -> bool:
    """Whether the C++ compiler that CMake will take accepts the flag."""
    compilers = (environ.get('CXX', 'c++').split(' ')[0], 'c++', 'g++', 'clang++')
    compiler = next(filter(shutil.which, compilers), 'c++')
    command = [compiler, flag, '-x', 'c++', '-E', '/dev/null']
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def with_flag(flag: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with the flag behind those that the user gave the compiler."""
    flags = {name: f'{environ.get(name, "")} {flag}'.strip() for name in ('CFLAGS', 'CXXFLAGS')}
    return {**environ, **flags}


def crashes(system_info: str) -> bool:
    """Whether a llama.cpp with this account of itself has AMX kernels and would use them."""
    return 'AMX_INT8 = 1' in system_info


def installed_info() -> str:
    """What the installed llama.cpp says of itself."""
    command = [sys.executable, '-c', SYSTEM_INFO]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def build_key(environ: Mapping[str, str], processor: str) -> str:
    """Names what a build depends on beside its version: how, and for which processor."""
    parts = [processor, *(environ.get(name, '') for name in COMPILER_VARIABLES)]
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:12]


def processor() -> str:
    """What this processor can do, as Linux tells."""
    lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    return next((line for line in lines if line.startswith(('flags', 'Features'))), '')


def compile_into(folder: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Compiles a wheel into the folder, unless it is there in the version that is asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        wheel = [*PIP, 'wheel', '-v', '--no-deps', '--find-links', str(folder)]
        subprocess.run([*wheel, '--wheel-dir', fresh, *arguments], env=environ, check=True)
        found = next(Path(fresh).glob('*.whl'))
        found.replace(folder / found.name)


def install(wheels: Path, arguments: Sequence[str]) -> None:
    """Installs; and compiles anew if pip had an earlier build that would crash."""
    environ = dict(os.environ)
    if knows(NO_AMX, environ):
        environ = with_flag(NO_AMX, environ)
    folder = wheels / build_key(environ, processor())
    command = [*PIP, 'install', '--find-links', str(folder), *arguments]
    compile_into(folder, arguments, environ)
    subprocess.run(command, check=True)
    if crashes(installed_info()) and environ != os.environ:
        subprocess.run([*PIP, 'cache', 'remove', 'llama_cpp_python'], check=False)
        shutil.rmtree(folder)
        compile_into(folder, arguments, environ)
        subprocess.run([*command, '--force-reinstall', '--no-deps'], check=True)


def main() -> int:
    """Installs, one environment at a time, so that none compiles what another is compiling."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(folder, sys.argv[2:])
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
