"""Load: many client processes ask one vlm_node at once, and every reply is checked."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image

from mobilevlm_ros.arguments import Parser, whole
from mobilevlm_ros.client import Answer, RefusedError, VlmClient, VlmClientError
from mobilevlm_ros.nodes.conversions import rgb_to_image
from mobilevlm_ros.nodes.processes import Processes, RunError, isolate
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.nodes.starting import start_ros
from mobilevlm_ros.programs import heed_interrupts, hold_interrupts, run

DESCRIPTION = """\
Ask one vlm_node from many processes at once. Each camera shows a brightness of its own, and the
model (a stand-in) says how bright the image is, so that an answer about a wrong camera shows. The
exit code is 1 unless every request ended with exactly one status, and all of them with OK.

example:
  ros2 run mobilevlm_ros load --clients 4 --asks 50
"""
GREYS = {'front': 40, 'left': 90, 'right': 140, 'rear': 190}
PERIOD_S = 0.1
READY_WITHIN_S = 180.0
DEADLINE_S = 60.0


@dataclass(frozen=True)
class Ended:
    """How one request ended."""

    status: str
    milliseconds: float


def main(argv: list[str] | None = None) -> int:
    """Run all clients and print what became of their requests."""
    options = _parser().parse_args(argv)
    return run('load', lambda: _load(options))


def _load(options: argparse.Namespace) -> int:
    isolate(os.environ)
    with TemporaryDirectory() as logs, Processes(Path(logs)) as processes:
        size = options.clients * options.asks
        cameras = f'cameras:={list(GREYS)}'
        processes.start(
            'vlm_node',
            [
                'encoder:=fake', 'llm:=fake', 'captions:=false', 'max_age_s:=0.0',
                f'queue_size:={size}', cameras,
            ],
        )  # fmt: skip
        cameras_end = threading.Event()
        showing = threading.Thread(target=show_cameras, args=(cameras_end,), daemon=True)
        showing.start()
        try:
            wait_ready(processes)
            began = time.monotonic()
            ended = run_clients(options.clients, options.asks)
        finally:
            cameras_end.set()
            showing.join()
    sys.stdout.write(report(ended, size, time.monotonic() - began) + '\n')
    return 0 if Counter(one.status for one in ended) == {'OK': size} else 1


def show_cameras(end: threading.Event) -> None:
    """Publish every camera's brightness until told to end."""
    start_ros()
    node = Node('cameras')
    publishers = {
        name: node.create_publisher(Image, f'{name}/image', FRAMES_OUT) for name in GREYS
    }
    while not end.wait(PERIOD_S):
        stamp = node.get_clock().now().to_msg()
        for name, grey in GREYS.items():
            pixels = np.full((16, 16, 3), grey, np.uint8)
            publishers[name].publish(rgb_to_image(pixels, stamp, name))
    rclpy.try_shutdown()


def wait_ready(processes: Processes) -> None:
    """Wait until every camera has been seen.

    Raises:
        RunError: if one was not.
    """
    end = time.monotonic() + READY_WITHIN_S
    left = list(GREYS)
    with VlmClient(connect_s=READY_WITHIN_S) as vlm:
        while left:
            processes.check()
            try:
                vlm.ask('Ready?', camera=left[0], max_age=math.inf)
                left.pop(0)
            except VlmClientError as error:
                if time.monotonic() > end:
                    raise RunError(f'no answer about camera {left[0]}: {error}') from error
                time.sleep(PERIOD_S)


def run_clients(clients: int, asks: int) -> list[Ended]:
    """One process for each client; all ask at once."""
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(clients, spawn, heed_interrupts) as pool:
        with hold_interrupts():
            found = pool.map(ask_all, range(clients), [asks] * clients)
        return [one for each in found for one in each]


def ask_all(number: int, asks: int) -> list[Ended]:
    """One client: send all requests, then wait for their ends."""
    with VlmClient(connect_s=READY_WITHIN_S) as vlm:
        began = time.monotonic()
        sent = []
        for index in range(asks):
            camera = list(GREYS)[(number + index) % len(GREYS)]
            question = f'Client {number}, {index}?'
            future = vlm.submit(question, DEADLINE_S, camera=camera, max_age=math.inf)
            ends: list[float] = []
            future.add_done_callback(partial(_note, ends))
            sent.append((question, camera, future, ends))
        return [_judge(*one, began) for one in sent]


def _note(ends: list[float], _: Future[Answer]) -> None:
    ends.append(time.monotonic())


def _judge(
    question: str, camera: str, future: Future[Answer], ends: list[float], began: float
) -> Ended:
    try:
        answer = future.result()
        right = answer.text == f'{question} brightness {GREYS[camera]}' and answer.camera == camera
        status = 'OK' if right else f'wrong: {answer.text!r} from {answer.camera}'
    except RefusedError as error:
        status = error.code
    except VlmClientError:
        status = 'no reply'
    return Ended(status, 1e3 * (ends[0] - began) if ends else float('nan'))


def report(ended: Sequence[Ended], size: int, seconds: float) -> str:
    """Counts by status and percentiles of the time to the end."""
    counts = Counter(one.status for one in ended)
    times = np.percentile([one.milliseconds for one in ended], [50, 95, 100])
    lines = [f'{size} requests, {len(ended)} ended, {seconds:.1f} s with the start of the clients']
    lines += [f'  {status}: {count}' for status, count in counts.most_common()]
    return '\n'.join(
        [*lines, '  ms to the end: median {:.0f}, 95% {:.0f}, most {:.0f}'.format(*times)]
    )


def _parser() -> Parser:
    parser = Parser(prog='load', description=DESCRIPTION)
    add = parser.add_argument
    add('--clients', type=whole(1, 61), default=10, metavar='N', help='processes (10)')
    add('--asks', type=whole(1, 1000), default=10, metavar='N', help='requests of each (10)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
