"""The ratios as a picture."""

from __future__ import annotations

from pathlib import Path

from mobilevlm_ros.bench.report import Report, ratios
from mobilevlm_ros.bench.rows import Row

PEER_COLOUR, FLOOR_COLOUR = '#2a6f97', '#b5838d'


def draw(report: Report, path: Path) -> None:
    """Bars of how many times as fast ours is, on a logarithmic axis; a mark for each target."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    bars = list(_bars(report))
    figure, axes = plt.subplots(figsize=(7, 0.3 * len(bars) + 1), dpi=100)
    places = range(len(bars))
    axes.barh(places, [bar[1] for bar in bars], color=[bar[3] for bar in bars], height=0.6)
    for place, (_, ratio, target, _) in enumerate(bars):
        axes.text(ratio, place, f' {ratio:.2f}', va='center', fontsize=8)
        if target:
            axes.plot([target, target], [place - 0.4, place + 0.4], color='black', linewidth=2)
    axes.set_yticks(places, [bar[0] for bar in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale('log')
    axes.axvline(1, color='grey', linewidth=0.8)
    axes.set_xlabel('times as fast; black marks: targets', fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _bars(report: Report) -> list[tuple[str, float, float, str]]:
    """Label, ratio, target and colour of each bar: first the peer's, then the floor's."""
    found = ratios(report)
    sides = (('peer', PEER_COLOUR), ('floor', FLOOR_COLOUR))
    return [
        (f'{row.title}, {side}', found[_key(row, side)], _target(row, side), colour)
        for side, colour in sides
        for row in report.rows
        if _key(row, side) in found
    ]


def _key(row: Row, side: str) -> str:
    if row.name == 'decode':
        return 'decode_peer' if side == 'peer' else 'decode'
    return row.name if side == 'peer' else f'{row.name}_floor'


def _target(row: Row, side: str) -> float:
    return row.peer_target if side == 'peer' else row.floor_target
