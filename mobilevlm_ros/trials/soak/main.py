"""Soak: four large cameras and steady questions for minutes; replies and memory are checked."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import rclpy

from mobilevlm_ros.arguments import Parser, new_file, real
from mobilevlm_ros.client import VlmClient
from mobilevlm_ros.nodes.processes import Processes, isolate
from mobilevlm_ros.nodes.starting import start_ros
from mobilevlm_ros.programs import run
from mobilevlm_ros.trials.soak.cameras import COLOURS, Cameras
from mobilevlm_ros.trials.soak.questions import uneven
from mobilevlm_ros.trials.soak.rate import find_rate
from mobilevlm_ros.trials.soak.report import Soak, table, to_json, violations
from mobilevlm_ros.trials.soak.run import SoakRun
from mobilevlm_ros.trials.usage import (
    SHARED,
    Usage,
    busy_seconds,
    cpu_seconds,
    left_of,
    read_usage,
    shared_files,
)

DESCRIPTION = """\
vlm_node with nano watches four cameras of 1280x720, processes of their own over DDS, while
questions are asked about the newest frame of each in turn. Every reply must be right, from the
right camera, and about the newest frame or the one before. The exit code is 1 if one is not, if a
camera cannot keep its rate, if memory, threads or open files of vlm_node grow, or if anything is
left in /dev/shm.

examples:
  ros2 run mobilevlm_ros soak
  ros2 run mobilevlm_ros soak --transport compressed --seconds 60 --rate 10 --json soak.json
"""
SAMPLES = 24  # at least, however short the run
REMOVED_WITHIN_S = 30.0  # a port that is in no memory any more, but not yet removed


def main(argv: list[str] | None = None) -> int:
    """Run the soak.

    Returns:
        0 if nothing was wrong, 1 if something was, 2 if it could not go on.
    """
    options = _parser().parse_args(argv)
    return run('soak', lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    isolate(os.environ)
    before = set(SHARED.iterdir())  # ports that others left are used again
    with TemporaryDirectory() as logs, _started(Path(logs), options) as (trial, pids):
        soak = _soak(trial, pids, options)
        mapped = shared_files([*pids, os.getpid()])
    soak = soak.ended(_left(mapped - before))
    sys.stdout.write(table(soak) + '\n')
    if options.json:
        options.json.write_text(json.dumps(to_json(soak), indent=1) + '\n', encoding='utf-8')
    return 1 if violations(soak) else 0


def _left(files: set[Path]) -> list[str]:
    """Those that stay, once they have had time to go."""
    end = time.monotonic() + REMOVED_WITHIN_S
    while (left := left_of(files)) and time.monotonic() < end:
        time.sleep(0.2)
    return left


@contextmanager
def _started(logs: Path, options: argparse.Namespace) -> Iterator[tuple[SoakRun, list[int]]]:
    """Everything that runs, and the processes: vlm_node first, then the cameras."""
    with Processes(logs) as processes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, processes.interrupt)
        parameters = [f'cameras:={list(COLOURS)}', 'look:=on_change']
        parameters += [f'{name}.transport:={options.transport}' for name in COLOURS]
        processes.start('vlm_node', parameters)
        with Cameras(options.transport) as cameras, VlmClient() as vlm:
            start_ros()
            run = SoakRun(processes, cameras, vlm, options.asks)
            try:
                run.ready()
                yield run, [processes.pid('vlm_node'), *cameras.pids]
            finally:
                run.close()
                rclpy.try_shutdown()


def _soak(run: SoakRun, pids: list[int], options: argparse.Namespace) -> Soak:
    rate_hz = options.rate or find_rate(lambda *trial: _carried(run, *trial))
    watch = _Watch(pids, min(options.every, options.seconds / SAMPLES))
    title = f'{options.transport}, {rate_hz:g} Hz'
    phase = run.phase(rate_hz, options.seconds, title, watch.advance)
    return Soak(
        options.transport,
        phase,
        watch.samples,
        watch.cpu(),
        uneven(phase.asked, run.heard),
        options.most_growth,
    )


def _carried(run: SoakRun, rate_hz: float, seconds: float) -> bool:
    phase = run.phase(rate_hz, seconds, f'trying {rate_hz:g} Hz')
    verdict = '; '.join(phase.wrong) or 'carried'
    sys.stdout.write(f'{rate_hz:g} Hz for {seconds:g} s: {verdict}\n')
    sys.stdout.flush()
    return not phase.wrong


class _Watch:
    """Samples vlm_node now and then."""

    def __init__(self, pids: list[int], every_s: float) -> None:
        self.samples: list[Usage] = []
        self._pids = pids
        self._every_s = every_s
        self._began = self._due = 0.0
        self._used: list[dict[str, float]] = []

    def advance(self) -> None:
        """Sample if it is time."""
        now = time.monotonic()
        self._began = self._began or now
        if now >= self._due:
            self._due = now + self._every_s
            self.samples.append(read_usage(self._pids[0], now - self._began))
            self._used.append(self._cpu_seconds())

    def cpu(self) -> dict[str, float]:
        """Share of one core that each took from the first sample to the last."""
        seconds = self.samples[-1].at_s - self.samples[0].at_s
        first, last = self._used[0], self._used[-1]
        return {who: (last[who] - first[who]) / seconds for who in first}

    def _cpu_seconds(self) -> dict[str, float]:
        return {
            'vlm_node': cpu_seconds(self._pids[0]),
            'cameras': sum(map(cpu_seconds, self._pids[1:])),
            'client': cpu_seconds(os.getpid()),
            'whole machine': busy_seconds(),
        }


def _rate(text: str) -> float:
    """Zero for `auto`."""
    return 0.0 if text == 'auto' else real(0.1, 1000)(text)


def _parser() -> Parser:
    parser = Parser(prog='soak', description=DESCRIPTION)
    add = parser.add_argument
    add('--transport', choices=('raw', 'compressed'), default='raw', help='of the frames (raw)')
    add(
        '--seconds', type=real(1, 1e6), default=600.0, metavar='S',
        help='how long, after the rate was found (600)',
    )  # fmt: skip
    add(
        '--rate', type=_rate, default='auto', metavar='HZ',
        help='of each camera; auto, the highest carried, if not given',
    )  # fmt: skip
    add('--asks', type=real(0.1, 1000), default=4.0, metavar='HZ', help='questions a second (4)')
    add(
        '--every', type=real(0.05, 3600), default=1.0, metavar='S',
        help='from one sample of memory to the next (1)',
    )  # fmt: skip
    add(
        '--most-growth', type=real(0, 1e6), default=10.0, metavar='MB',
        help='an hour that memory may grow by (10)',
    )  # fmt: skip
    add('--json', type=new_file, metavar='FILE', help='for all figures')
    return parser


if __name__ == '__main__':
    sys.exit(main())
