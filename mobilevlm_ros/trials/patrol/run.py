"""Patrols the simulated room thrice at once: by the model, by the truth, and blind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import rclpy
from rclpy.signals import SignalHandlerOptions
from tqdm import tqdm

from mobilevlm_ros.nodes.processes import Processes, isolate
from mobilevlm_ros.nodes.ways import CHOICES, QUESTIONS
from mobilevlm_ros.sim.patrols import random_waypoints
from mobilevlm_ros.sim.tours import Tour
from mobilevlm_ros.sim.world import random_world
from mobilevlm_ros.trials.patrol.watch import Watch

MODES = ('model', 'truth', 'blind')
WAYPOINTS = 40  # more than can be reached


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    runs: int
    seconds: float  # each, from the moment when all three robots have seen something
    seed: int  # of the first run's room; each further one has the next
    bundle: str = ''  # empty: nano
    rate: float = 10.0  # frames per second


def patrol_all(plan: Plan) -> Iterator[dict[str, Tour]]:
    """Run after run, each with three tours of one room and one list of waypoints.

    Nodes are processes of their own over DDS, on this machine alone, each robot in a namespace;
    all three are driven by the same patrol_node.

    Raises:
        RunError: if a node ends or says nothing.
    """
    isolate(os.environ)
    for number in tqdm(range(plan.runs), 'patrol', unit='run', disable=None):
        yield patrol_once(plan, plan.seed + number)


def patrol_once(plan: Plan, seed: int) -> dict[str, Tour]:
    """One room, three robots."""
    world = random_world(seed)
    waypoints = random_waypoints(world, seed, WAYPOINTS)
    with TemporaryDirectory() as logs, Processes(Path(logs)) as processes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, processes.interrupt)
        for mode in MODES:
            _start(processes, mode, plan, seed, waypoints)
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        try:
            return Watch(MODES, processes.check).run(plan.seconds)
        finally:
            rclpy.try_shutdown()


def _start(
    processes: Processes,
    mode: str,
    plan: Plan,
    seed: int,
    waypoints: Sequence[tuple[float, float]],
) -> None:
    scene = '' if mode == 'model' else mode
    processes.start(
        f'{mode}/sim_node', [f'seed:={seed}', f'rate:={plan.rate}', f'scene:={scene!r}']
    )
    if mode == 'model':
        processes.start(f'{mode}/vlm_node', _vlm_parameters(plan.bundle))
    source = 'vlm_node' if mode == 'model' else 'sim_node'
    numbers = [value for point in waypoints for value in point]
    processes.start(
        f'{mode}/patrol_node', [f'waypoints:={json.dumps(numbers)}'], [f'scene:={source}/scene']
    )


def _vlm_parameters(bundle: str) -> list[str]:
    """Both probes; nothing else takes the model's time."""
    probes = {
        name: {'question': question, 'choices': list(CHOICES[name])}
        for name, question in QUESTIONS.items()
    }
    given = [f'bundle:={bundle}'] if bundle else []
    fast = ['captions:=false', 'look:=on_demand', 'look_rate_hz:=30.0', 'probe_rate_hz:=0.0']
    return [*given, *fast, f"probes:='{json.dumps(probes)}'"]
