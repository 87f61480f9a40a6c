"""The demo: a simulated robot drives through a room and answers questions about what it sees."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

import rclpy
from rclpy.utilities import remove_ros_args

from mobilevlm_ros.arguments import Parser, any_path, new_folder, real, whole
from mobilevlm_ros.demo.report import Report
from mobilevlm_ros.demo.run import DemoRun
from mobilevlm_ros.engine import load_bundle
from mobilevlm_ros.nodes.processes import Processes, isolate
from mobilevlm_ros.nodes.starting import start_ros
from mobilevlm_ros.programs import run
from mobilevlm_ros.sim.world import random_world

DESCRIPTION = """\
A simulated robot drives through a room and answers questions about what its camera sees.
sim_node and vlm_node run as processes of their own, over DDS on this machine alone. The truth is
recomputed from the room's seed and the robot's pose at the stamp of the image answered about;
where that frame does not settle a question, there is no truth and the answer does not count.

examples:
  ros2 run mobilevlm_ros demo
  ros2 run mobilevlm_ros demo --seed 5 --seconds 60 --out ~/demo
"""


def main(argv: list[str] | None = None) -> int:
    """Run the demo.

    Returns:
        0 if enough answers match the simulator, 1 if not, 2 if the demo could not go on.
    """
    options = _parser().parse_args(remove_ros_args(sys.argv[1:] if argv is None else argv))
    return run('demo', lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.bundle:
        load_bundle(options.bundle)
    if not options.attach:
        isolate(os.environ)
    options.out.mkdir(parents=True, exist_ok=True)
    world = random_world(options.seed)
    report = Report(options.out)
    with Processes(options.out) as processes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, processes.interrupt)
        if not options.attach:
            _start(processes, options)
        start_ros()
        demo = DemoRun(world, options.seed, processes, report)
        try:
            demo.drive(options.seconds, options.questions)
        finally:
            demo.close()
            rclpy.try_shutdown()
    return 0 if report.finish(options.questions, options.pass_share) else 1


def _start(processes: Processes, options: argparse.Namespace) -> None:
    # To the stand-in all views look alike.
    vlm = ['encoder:=fake', 'llm:=fake', 'caption_change:=0.0'] if options.fake else []
    if options.bundle:
        vlm.append(f'bundle:={json.dumps(str(options.bundle))}')
    processes.start('sim_node', [f'seed:={options.seed}'])
    processes.start('vlm_node', vlm)


def _parser() -> Parser:
    parser = Parser(prog='demo', description=DESCRIPTION)
    add = parser.add_argument
    add('--bundle', type=any_path, metavar='FOLDER', help='of a model; nano if not given')
    add('--seconds', type=real(1, 86_400), default=30.0, metavar='S', help='of driving (30)')
    add(
        '--questions', type=whole(0), default=20, metavar='N',
        help='fewest questions that must count (20)',
    )  # fmt: skip
    add('--seed', type=whole(0), default=3, metavar='N', help='of the room and the questions (3)')
    add('--out', type=new_folder, default='out', metavar='FOLDER', help='for its files (out)')
    add(
        '--pass-share', type=real(0, 1), default=0.8, metavar='SHARE',
        help='of answers that must match (0.8)',
    )  # fmt: skip
    add('--attach', action='store_true', help='to nodes that run: vlm_node and sim_node')
    add('--fake', action='store_true', help='a stand-in without a model, to try the plumbing')
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
