"""Installs llama-cpp-python into this Python, compiled so that it runs on this processor.

The arguments go to `pip install`. GCC compiles llama.cpp's AMX kernels into ones that end the
process (https://github.com/ggml-org/llama.cpp/issues/20824), so they are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

NO_AMX = '-mno-amx-int8'
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


def main() -> int:
    """Installs; and compiles anew if pip had an earlier build that would crash."""
    environ = dict(os.environ)
    if knows(NO_AMX, environ):
        environ = with_flag(NO_AMX, environ)
    install = [*PIP, 'install', '-v', *sys.argv[1:]]
    subprocess.run(install, env=environ, check=True)
    if crashes(installed_info()) and environ != os.environ:
        subprocess.run([*PIP, 'cache', 'remove', 'llama_cpp_python'], check=False)
        subprocess.run([*install, '--force-reinstall', '--no-deps'], env=environ, check=True)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
