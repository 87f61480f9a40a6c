"""Fuzz: odd and damaged messages to a vlm_node, which must neither end, hang nor be fooled."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import rclpy
from tqdm import tqdm

from mobilevlm_ros.arguments import Parser, whole
from mobilevlm_ros.nodes.processes import Processes, isolate
from mobilevlm_ros.nodes.starting import start_ros
from mobilevlm_ros.programs import run
from mobilevlm_ros.trials.fuzz.report import Resources, judge, report
from mobilevlm_ros.trials.fuzz.run import CAMERAS, WINDOW, Fuzzer
from mobilevlm_ros.trials.fuzz.series import series
from mobilevlm_ros.trials.usage import Usage, read_usage

DESCRIPTION = """\
Send fuzzed Image, CompressedImage and Ask messages to a vlm_node with models/nano. Fields are
drawn by Hypothesis, or real messages and image files are damaged byte by byte. After each image
the node is asked about it. The exit code is 1 if the node ended or hung, a question did not end
with exactly one reply, a reply told of a fault of the node or was about an image that cannot be
read, memory, threads or open files grew beyond limits, or a good question about a good image is
answered wrongly in the end.

example:
  ros2 run mobilevlm_ros fuzz --messages 2000 --seed 7
"""
WARM_UP = 0.05  # of the messages
IDLE_S = 3.0  # after which a conversation is forgotten, and the image that it was about


def main(argv: list[str] | None = None) -> int:
    """Send all messages and print what became of them."""
    options = _parser().parse_args(argv)
    return run('fuzz', lambda: _fuzz(options))


def _fuzz(options: argparse.Namespace) -> int:
    isolate(os.environ)
    with (
        TemporaryDirectory() as folder,
        _own_stderr(Path(folder, 'fuzz.log')) as terminal,
        Processes(Path(folder)) as processes,
    ):
        processes.start('vlm_node', parameters())
        start_ros()
        fuzzer = Fuzzer(processes.check)
        try:
            fuzzer.connect()
            read = partial(read_usage, processes.pid('vlm_node'))
            began = time.monotonic()
            resources = send_all(fuzzer, options.messages, options.seed, read, terminal)
        finally:
            fuzzer.close()
            rclpy.try_shutdown()
    findings = fuzzer.findings
    seconds = time.monotonic() - began
    sys.stdout.write(report(findings.ends, resources, seconds, findings.violations) + '\n')
    return 1 if findings.violations else 0


def parameters() -> list[str]:
    """Of the node: short answers, room for all questions that are on their way."""
    return [
        f'cameras:=[{", ".join(CAMERAS)}]', f'held_frames:={len(CAMERAS)}', 'captions:=false',
        'rear.transport:=compressed', 'right.transport:=compressed', 'max_tokens:=12',
        'deadline_s:=5.0', 'max_age_s:=0.0', f'session_idle_s:={IDLE_S}',
        f'queue_size:={4 * WINDOW}',
    ]  # fmt: skip


def send_all(
    fuzzer: Fuzzer, messages: int, seed: int, read: Callable[[], Usage], terminal: TextIO
) -> Resources:
    """Send so many messages; what went wrong is among the fuzzer's findings."""
    counted, fuzzer.asked = fuzzer.counted(), 0

    def settled() -> Usage:
        fuzzer.rest(IDLE_S + 0.5)
        fuzzer.connect()  # images are kept, however large, until a newer one comes
        return read()

    ready = warm = read()
    sends = enumerate(islice(series(seed), messages))
    for number, send in tqdm(sends, 'fuzz', messages, unit='message', file=terminal, disable=None):
        send(fuzzer)
        if number == int(WARM_UP * messages):
            warm = settled()
    fuzzer.finish()
    resources = Resources(ready, warm, settled())
    violations = fuzzer.findings.violations
    violations += judge(resources)
    if (ended := fuzzer.counted() - counted) != fuzzer.asked:
        violations.append(f'{fuzzer.asked} requests were sent, {ended} ended')
    for blocked, right in ((False, 'yes'), (True, 'no')):
        if (found := fuzzer.answer_about(blocked)) != right:
            violations.append(f'a good question about a good image: {found}, not {right}')
    return resources


@contextmanager
def _own_stderr(log: Path) -> Iterator[TextIO]:
    """Stderr for the progress alone; what ROS prints of damaged messages goes to a file."""
    sys.stderr.flush()
    with os.fdopen(os.dup(2), 'w') as terminal, log.open('wb') as file:
        os.dup2(file.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)


def _parser() -> Parser:
    parser = Parser(prog='fuzz', description=DESCRIPTION)
    add = parser.add_argument
    add('--messages', type=whole(1), default=20_000, metavar='N', help='fuzzed ones (20000)')
    add('--seed', type=whole(0), default=0, metavar='N', help='the messages follow from it (0)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
