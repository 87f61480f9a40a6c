"""The demo: a simulated robot drives through a room and answers questions about what it sees."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from mobilevlm_ros.demo.report import Report
from mobilevlm_ros.demo.run import DemoRun
from mobilevlm_ros.nodes.processes import Processes, RunError, isolate
from mobilevlm_ros.sim.world import random_world

DESCRIPTION = """\
A simulated robot drives through a room and answers questions about what its camera sees.
sim_node and vlm_node run as processes of their own, over DDS on this machine alone. The truth is
recomputed from the room's seed and the robot's pose at the stamp of the image answered about;
where that frame does not settle a question, there is no truth and the answer does not count.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the demo.

    Returns:
        0 if enough answers match the simulator, 1 if not, 2 if the demo could not go on.
    """
    options = _parser().parse_args(remove_ros_args(sys.argv[1:] if argv is None else argv))
    if not options.attach:
        isolate(os.environ)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        return _run(options)
    except (RunError, OSError) as error:
        sys.stderr.write(f'demo: {error}\n')
        return 2


def _run(options: argparse.Namespace) -> int:
    world = random_world(options.seed)
    report = Report(options.out)
    with Processes(options.out) as processes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, processes.interrupt)
        if not options.attach:
            _start(processes, options)
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        try:
            run = DemoRun(world, options.seed, processes, report)
            run.drive(options.seconds, options.questions)
        finally:
            rclpy.try_shutdown()
    return 0 if report.finish(options.questions, options.pass_share) else 1


def _start(processes: Processes, options: argparse.Namespace) -> None:
    # To the stand-in all views look alike.
    vlm = ['encoder:=fake', 'llm:=fake', 'caption_change:=0.0'] if options.fake else []
    if options.bundle:
        vlm.append(f'bundle:={options.bundle}')
    processes.start('sim_node', [f'seed:={options.seed}'])
    processes.start('vlm_node', vlm)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='demo',
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add('--bundle', type=Path, help='folder of a model; nano if not given')
    add('--seconds', type=float, default=30.0, help='how long to drive')
    add('--questions', type=int, default=20, help='fewest questions that must count')
    add('--seed', type=int, default=3, help='of the room and the questions')
    add('--out', type=Path, default=Path('out'), help='folder for the picture and the logs')
    add('--pass-share', type=float, default=0.8, help='share of answers that must match')
    add('--attach', action='store_true', help='to nodes that run: vlm_node and sim_node')
    add('--fake', action='store_true', help='a stand-in without a model, to try the plumbing')
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
