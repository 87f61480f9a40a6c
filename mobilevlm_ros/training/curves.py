"""The loss curves of all stages as a picture."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt


def draw_curves(folder: Path) -> Path:
    """Read the stages' logs in a folder and draw one panel each; returns the PNG's path."""
    logs = sorted(folder.glob('*.jsonl'))
    figure, axes = plt.subplots(1, max(1, len(logs)), figsize=(5 * max(1, len(logs)), 4))
    for log, axis in zip(logs, [axes] if len(logs) < 2 else axes, strict=True):
        rows = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
        for name in sorted({k for row in rows for k in row} - {'step'}):
            points = [(row['step'], row[name]) for row in rows if name in row]
            axis.plot(*zip(*_smooth(points), strict=True), label=name, linewidth=1)
        axis.set(title=log.stem, xlabel='step', ylabel='loss', yscale='log')
        axis.legend(fontsize=6)
    figure.tight_layout()
    path = folder / 'curves.png'
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path


def _smooth(points: list[tuple[int, float]], span: int = 3) -> list[tuple[float, float]]:
    """Means of so many neighbours."""
    groups = [points[i : i + span] for i in range(0, len(points), span)]
    return [(g[-1][0], sum(v for _, v in g) / len(g)) for g in groups]
