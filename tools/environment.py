"""The environment in which this package's nodes, demo and tests run, in one place.

As a command, `environment.py COMMAND ...` runs the command in it.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

# Domains above 101 can meet the ports that Linux hands out to outgoing connections.
DOMAINS = range(1, 102)
LOCK_PORT = 22_100


def configure(prefix: Path, environ: MutableMapping[str, str]) -> None:
    """Points ROS at the package installed in `prefix`, and keeps its traffic on this machine."""
    profile = str(prefix / 'share' / 'mobilevlm_ros' / 'config' / 'fastdds.xml')
    environ['AMENT_PREFIX_PATH'] = str(prefix)
    environ['RMW_IMPLEMENTATION'] = 'rmw_fastrtps_cpp'
    environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    # Kilted has Fast DDS 3, which reads another variable, and the profile twice if both are set.
    renamed = (prefix / 'lib' / 'libfastdds.so').exists()
    environ[f'FAST{"DDS" if renamed else "RTPS"}_DEFAULT_PROFILES_FILE'] = profile
    environ['PATH'] = os.pathsep.join([str(prefix / 'bin'), environ.get('PATH', os.defpath)])


@contextmanager
def own_domain() -> Iterator[int]:
    """Yields a ROS domain that nobody else on this machine has taken in this way."""
    for domain in random.sample(DOMAINS, len(DOMAINS)):
        with socket.socket() as lock:
            try:
                lock.bind(('127.0.0.1', LOCK_PORT + domain))
            except OSError:
                continue
            yield domain
            return
    raise RuntimeError('every ROS domain from 1 to 101 is taken by another test or demo')


def main() -> int:
    """Runs the command in the environment, with a ROS domain of its own."""
    configure(Path(sys.prefix), os.environ)
    with own_domain() as domain:
        os.environ['ROS_DOMAIN_ID'] = str(domain)
        try:
            return subprocess.call(sys.argv[1:])
        except KeyboardInterrupt:
            return 130


if __name__ == '__main__':
    raise SystemExit(main())
