"""Installs TensorRT's bindings, several versions side by side, for the test of their names.

They are a megabyte each, and cannot be imported as they are: their libraries take gigabytes and
are left out. NVIDIA has them for x86_64 alone; elsewhere nothing is done, and the test is skipped.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

PIP = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '--no-input', 'install']


def pins(requirements: Path) -> list[str]:
    """The requirements of a file, which are all exact."""
    lines = requirements.read_text(encoding='utf-8').splitlines()
    return [line for line in lines if '==' in line and not line.startswith('#')]


def main() -> int:
    """Installs each into `tensorrt-names/VERSION` beside this Python."""
    if platform.machine() != 'x86_64':
        print(f'nothing to do on {platform.machine()}')
        return 0
    for pin in pins(Path(sys.argv[1])):
        folder = Path(sys.prefix, 'tensorrt-names', pin.partition('==')[2])
        subprocess.run([*PIP, '--no-deps', '--upgrade', '--target', folder, pin], check=True)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
