"""Nodes as child processes: started over DDS on this machine alone, watched, always ended."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from types import TracebackType

from mobilevlm_ros.engine import MobileVlmError
from mobilevlm_ros.nodes.share import PROFILE_VARIABLES, profile_variable, transport_profile

END_WITHIN_S = 10.0
TAIL_LINES = 15


class RunError(MobileVlmError):
    """What runs the nodes cannot go on; the message says why."""


def isolate(environ: MutableMapping[str, str]) -> None:
    """Keep the nodes to this machine and a ROS domain of their own, unless that is set already."""
    profile, distro = str(transport_profile()), environ.get('ROS_DISTRO', '')
    environ.setdefault('ROS_DOMAIN_ID', str(random.randint(1, 101)))
    environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    if distro == 'humble':  # knows the older variable alone, which would override the newer one
        environ.setdefault('ROS_LOCALHOST_ONLY', '1')
    if not any(name in environ for name in PROFILE_VARIABLES):
        environ[profile_variable(distro)] = profile


class Processes:
    """Child nodes by name; leaving the context ends them all."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._signal = 0  # that told us to end

    def __enter__(self) -> Processes:
        """Start nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every child, the hard way if it does not listen."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, parameters: Sequence[str], remaps: Sequence[str] = ()) -> None:
        """Start a node; its output goes to <name>.log.

        Args:
            name: module of mobilevlm_ros.nodes, perhaps behind a namespace: `red/sim_node`.
            parameters: each as `name:=value`.
            remaps: each as `from:=to`.
        """
        namespace, _, module = name.rpartition('/')
        command = [sys.executable, '-m', f'mobilevlm_ros.nodes.{module}', '--ros-args']
        for parameter in parameters:
            command += ['-p', parameter]
        for remap in [*remaps, *([f'__ns:=/{namespace}'] if namespace else [])]:
            command += ['-r', remap]
        with self._log(name).open('wb') as log:
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def pid(self, name: str) -> int:
        """Of a node that was started."""
        return self._running[name].pid

    def interrupt(self, number: int, _: object) -> None:
        """A signal handler: end at the next check, never while a child is starting."""
        self._signal = number

    def check(self) -> None:
        """Go on only while every child runs and nobody told us to end.

        Raises:
            RunError: with the end of its output if a child has ended.
            SystemExit: after a signal.
        """
        if self._signal:
            raise SystemExit(128 + self._signal)
        for name, process in self._running.items():
            if process.poll() is not None:
                raise RunError(
                    f'{name} ended with exit code {process.returncode}:\n{self.tail(name)}'
                )

    def tail(self, name: str) -> str:
        """The end of what a node has said so far."""
        lines = self._log(name).read_text(errors='replace').splitlines()[-TAIL_LINES:]
        return '\n'.join(f'  {line}' for line in lines) or '  (it said nothing)'

    def _log(self, name: str) -> Path:
        return self._logs / f'{name.replace("/", "-")}.log'
