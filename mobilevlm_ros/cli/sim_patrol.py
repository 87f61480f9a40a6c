"""`mobilevlm sim-patrol`: what the model is worth to a robot that drives by it."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict

from mobilevlm_ros.arguments import any_path, new_file, real, whole
from mobilevlm_ros.cli.figures import write_figures
from mobilevlm_ros.engine import load_bundle
from mobilevlm_ros.sim.tours import Total, Tour, add_up, fewer_contacts, share_reached
from mobilevlm_ros.tables import format_table

HELP = """\
Let three robots patrol the same simulated rooms, and compare them.

  model  drives by the answers of vlm_node to two questions, asked of every frame it looks at:
         Is the path ahead clear? Which way is free?
  truth  drives by the simulator's true answers: the best that the controller can do
  blind  drives as if every way were clear: what not to look costs

The same patrol_node drives all three, over DDS, in real time. Contacts are counted by the
simulator. The exit code is 1 if the model avoids less than 90% of the blind robot's contacts per
100 m, or reaches less than 80% of the waypoints that the truth-driven one reaches.

examples:
  mobilevlm sim-patrol --runs 20
  mobilevlm sim-patrol --runs 3 --seconds 30 --seed 100 --picture paths.png --json paths.json
"""
FEWER_CONTACTS, WAYPOINTS = 0.9, 0.8


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add = parser.add_argument
    add('--bundle', type=any_path, help='folder of the model; nano if not given')
    add('--runs', type=whole(1, 10_000), default=5, metavar='N', help='rooms (5)')
    add('--seconds', type=real(1, 86_400), default=60.0, metavar='S', help='of each run (60)')
    add('--seed', type=whole(0), default=0, metavar='N', help='of the first room (0)')
    add('--picture', type=new_file, metavar='PNG', help='draw rooms and paths there')
    add('--json', type=new_file, metavar='FILE', help='also write the figures here')


def run(args: argparse.Namespace) -> int:
    """Run all, print a table."""
    from mobilevlm_ros.trials.patrol.run import Plan, patrol_all
    from mobilevlm_ros.trials.patrol.sheet import draw_tours

    if args.bundle:
        load_bundle(args.bundle)
    plan = Plan(args.runs, args.seconds, args.seed, args.bundle)
    toured = list(patrol_all(plan))
    runs = [tours for _, tours in toured]
    totals = {mode: add_up([tours[mode] for tours in runs]) for mode in runs[0]}
    fewer = fewer_contacts(totals['model'], totals['blind'])
    share = share_reached(totals['model'], totals['truth'])
    print(format_totals(totals))
    print(f'contacts avoided per 100 m: {fewer:.1%} (at least {FEWER_CONTACTS:.0%})')
    print(f'waypoints, of those by truth: {share:.1%} (at least {WAYPOINTS:.0%})')
    if args.picture:
        draw_tours(toured, args.picture)
    if args.json:
        write_figures(args.json, to_json(totals, runs))
    return 0 if fewer >= FEWER_CONTACTS and share >= WAYPOINTS else 1


def format_totals(totals: dict[str, Total]) -> str:
    """A line for each robot."""
    head = ('', 'runs', 'metres', 'contacts', 'per 100 m', 'stops', 'waypoints', 'reaction ms')
    table = format_table(head, [_cells(mode, total) for mode, total in totals.items()])
    return f'{table}\nreaction: median and 95th percentile, image stamp to wheels'


def _cells(mode: str, t: Total) -> list[object]:
    reaction = '' if math.isnan(t.reaction_ms[0]) else '{:.0f}, {:.0f}'.format(*t.reaction_ms)
    return [
        mode, t.tours, f'{t.metres:.1f}', t.contacts, f'{t.contacts_per_100_m:.2f}', t.stops,
        t.reached, reaction,
    ]  # fmt: skip


def to_json(totals: dict[str, Total], runs: list[dict[str, Tour]]) -> dict[str, object]:
    """All figures; paths are left out."""
    each = [
        {mode: {**asdict(tour), 'path': None, 'metres': tour.metres} for mode, tour in run.items()}
        for run in runs
    ]
    return {'totals': {mode: asdict(total) for mode, total in totals.items()}, 'runs': each}
