"""Repairs the ROS wheels' CMake files, which name folders of the machine that built them.

Run with the environment's own Python, after every installation of ROS wheels.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy

BUILDER = r'/opt/python/cp3\d+-cp3\d+'
NUMPY_INCLUDE = re.compile(BUILDER + r'/lib/python3\.\d+/site-packages/numpy/\w+/include')
PYTHON_INCLUDE = re.compile(BUILDER + r'/include/python3\.\d+')


def repair(text: str) -> str:
    """Returns the text with the builder's folders replaced by those of this environment."""
    text = NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), text)
    return PYTHON_INCLUDE.sub(lambda _: sysconfig.get_paths()['include'], text)


def main() -> None:
    """Rewrites the CMake files below the environment's share folder where they need it."""
    for path in sorted(Path(sys.prefix, 'share').glob('*/cmake/*.cmake')):
        text = path.read_text(encoding='utf-8')
        if (repaired := repair(text)) != text:
            path.write_text(repaired, encoding='utf-8')


if __name__ == '__main__':
    main()
