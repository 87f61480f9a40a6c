"""What the demo shows: a table that grows as answers come, a summary and a contact sheet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mobilevlm_ros.demo.quiz import Result
from mobilevlm_ros.demo.sheet import contact_sheet

COLUMNS = {'kind': 10, 'question': 42, 'answer': 36, 'truth': 36, 'ms': 6, 'match': 5}
SHEET_FRAMES = 20


class Report:
    """Collects results and prints them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results: list[Result] = []
        self._frames: list[np.ndarray] = []

    @property
    def counted(self) -> int:
        """Results that have a truth to compare with."""
        return sum(result.counted for result in self._results)

    def begin(self) -> None:
        """Print the table's head."""
        _say(_row(list(COLUMNS)))
        _say(_row(['-' * width for width in COLUMNS.values()]))

    def caption(self, text: str) -> None:
        """Print a caption between the rows."""
        _say(f'{"caption":10}  {text}')

    def add(self, result: Result, pixels: np.ndarray) -> None:
        """Print a row, and keep the frame that was answered about, RGB uint8 [h, w, 3]."""
        self._results.append(result)
        self._frames.append(pixels)
        latency = f'{result.latency_ms:.0f}'.rjust(COLUMNS['ms'])
        truth = result.truth or '(not settled)'
        _say(_row([result.kind, result.question, result.answer, truth, latency, result.verdict]))

    def finish(self, questions: int, share: float) -> bool:
        """Save the sheet, print the summary; whether enough of enough questions match."""
        _say()
        if self._results:
            sheet = self._folder / 'demo.png'
            pairs = list(zip(self._frames, self._results, strict=True))
            contact_sheet(_spread(pairs, SHEET_FRAMES), sheet)
            _say(f'contact sheet: {sheet}')
            _say(_latency(self._results))
            _say(_by_kind(self._results))
        right = sum(result.right for result in self._results)
        enough = self.counted >= questions
        if not enough:
            _say(f'only {self.counted} of {questions} questions could be counted')
        if right < share * self.counted:
            _say(f'fewer than {share:.0%} of the answers match')
        _say(f'demo: {right}/{self.counted} answers match the simulator')
        return enough and right >= share * self.counted


def _say(text: str = '') -> None:
    sys.stdout.write(text + '\n')
    sys.stdout.flush()  # at once, also into a pipe


def _row(cells: Sequence[str]) -> str:
    widths = COLUMNS.values()
    return '  '.join(_fit(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _fit(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 3] + '...').ljust(width)


def _spread(items: list[tuple[np.ndarray, Result]], most: int) -> list[tuple[np.ndarray, Result]]:
    """At most so many, evenly over the run."""
    places = np.linspace(0, len(items) - 1, min(most, len(items)))
    return [items[round(place)] for place in places]


def _latency(results: Sequence[Result]) -> str:
    times = np.array([result.latency_ms for result in results])
    median, worst = np.median(times), times.max()
    return f'from request to response: median {median:.0f} ms, at most {worst:.0f} ms'


def _by_kind(results: Sequence[Result]) -> str:
    right: dict[str, list[bool]] = {}
    for result in results:
        if result.counted:
            right.setdefault(result.kind, []).append(result.right)
    return 'matches: ' + ', '.join(f'{k} {sum(v)}/{len(v)}' for k, v in right.items())
