"""Patrols the simulated room thrice at once: by the model, by the truth, and blind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import rclpy
from tqdm import tqdm

from mobilevlm_ros.nodes.processes import Processes, isolate
from mobilevlm_ros.nodes.starting import start_ros
from mobilevlm_ros.nodes.ways import CHOICES, QUESTIONS
from mobilevlm_ros.sim.patrols import random_waypoints
from mobilevlm_ros.sim.tours import Point, Tour
from mobilevlm_ros.sim.world import World, random_world
from mobilevlm_ros.trials.patrol.watch import Watch

MODES = ('model', 'truth', 'blind')
WAYPOINTS = 40  # more than can be reached


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    runs: int
    seconds: float  # each, from the moment when all three robots have seen something
    seed: int  # of the first run's room; each further one has the next that has places to go to
    bundle: Path | None = None  # nano
    rate: float = 10.0  # frames per second


@dataclass(frozen=True)
class Room:
    """Where all three robots of a run go."""

    seed: int
    world: World
    waypoints: Sequence[Point]


def rooms(seed: int) -> Iterator[Room]:
    """Rooms from this seed on, without those that are too full for waypoints."""
    for number in count(seed):
        world = random_world(number)
        try:
            waypoints = random_waypoints(world, number, WAYPOINTS)
        except ValueError:
            continue
        yield Room(number, world, waypoints)


def patrol_all(plan: Plan) -> Iterator[tuple[World, dict[str, Tour]]]:
    """Run after run: a room, and three tours of it with one list of waypoints.

    Nodes are processes of their own over DDS, on this machine alone, each robot in a namespace;
    all three are driven by the same patrol_node.

    Raises:
        RunError: if a node ends or says nothing.
    """
    isolate(os.environ)
    chosen = islice(rooms(plan.seed), plan.runs)
    for room in tqdm(chosen, 'patrol', plan.runs, unit='run', disable=None):
        yield room.world, patrol_once(plan, room)


def patrol_once(plan: Plan, room: Room) -> dict[str, Tour]:
    """Three robots."""
    with TemporaryDirectory() as logs, Processes(Path(logs)) as processes:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, processes.interrupt)
        for mode in MODES:
            _start(processes, mode, plan, room)
        start_ros()
        watch = Watch(MODES, processes.check)
        try:
            return watch.run(plan.seconds)
        finally:
            watch.close()
            rclpy.try_shutdown()


def _start(processes: Processes, mode: str, plan: Plan, room: Room) -> None:
    scene = '' if mode == 'model' else mode
    processes.start(
        f'{mode}/sim_node', [f'seed:={room.seed}', f'rate:={plan.rate}', f'scene:={scene!r}']
    )
    if mode == 'model':
        processes.start(f'{mode}/vlm_node', _vlm_parameters(plan.bundle))
    source = 'vlm_node' if mode == 'model' else 'sim_node'
    numbers = [value for point in room.waypoints for value in point]
    processes.start(
        f'{mode}/patrol_node', [f'waypoints:={json.dumps(numbers)}'], [f'scene:={source}/scene']
    )


def _vlm_parameters(bundle: Path | None) -> list[str]:
    """Both probes; nothing else takes the model's time."""
    probes = {
        name: {'question': question, 'choices': list(CHOICES[name])}
        for name, question in QUESTIONS.items()
    }
    given = [f'bundle:={json.dumps(str(bundle))}'] if bundle else []
    fast = ['captions:=false', 'look:=on_demand', 'look_rate_hz:=30.0', 'probe_rate_hz:=0.0']
    return [*given, *fast, f"probes:='{json.dumps(probes)}'"]
