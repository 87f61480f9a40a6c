"""Planned memory beside what a process that loads a model and asks it does take."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobilevlm_ros.bench import frames
from mobilevlm_ros.bench.peak import taken_mb
from mobilevlm_ros.bench.process import Process
from mobilevlm_ros.engine import Engine, EngineConfig, Frame, Question, load_bundle, open_engine
from mobilevlm_ros.engine.budget import MemoryPlan, plan_memory
from mobilevlm_ros.tables import format_table

PERIOD_S = 0.2
WORDS = 100  # of the longest question
LIBRARIES = ('llama_cpp', 'onnxruntime')


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Plan and measurement, in MB."""

    plan: MemoryPlan
    before: float  # of the process with its libraries, before it loaded anything
    loading: float  # the most while it loaded
    running: float  # the most while it answered

    @property
    def planned(self) -> float:
        """What should be taken in the end."""
        return self.before + self.plan.total / 1e6

    @property
    def error(self) -> float:
        """How far the plan is off, as a share of what was measured; below zero: too small."""
        return self.planned / self.running - 1


class Loader:
    """Loads an engine and works it."""

    def __init__(self, bundle: Path, config: EngineConfig) -> None:
        self._path, self._config = bundle, config
        self._engine: Engine | None = None
        for module in LIBRARIES:
            importlib.import_module(module)

    def load(self) -> None:
        """Open the engine."""
        self._engine = open_engine(self._path, self._config)

    def work(self) -> None:
        """Fill the frames that may be held, ask short and long questions."""
        assert self._engine
        for number in range(self._config.held_frames):
            self._engine.look(Frame(frames.make_frame(number), camera=str(number)))
            self._engine.ask(Question(frames.question(number)), str(number))
        self._engine.ask(Question('a ' * WORDS + '?', max_tokens=8))

    def close(self) -> None:
        """Close the engine."""
        if self._engine:
            self._engine.close()


def measure_memory(path: Path, config: EngineConfig) -> MemoryReport:
    """Plan, load, work."""
    bundle = load_bundle(path)
    plan = plan_memory(bundle, config)
    name = bundle.backend_file('llama_cpp').name
    settings = replace(config, verify=False)
    with Process('the engine', Loader, path, settings) as process:
        def taken() -> float:
            return taken_mb(process.pid, name, plan.dropped)

        before = taken()
        loading = most_while(taken, lambda: process.call('load'))
        running = most_while(taken, lambda: process.call('work'))
    return MemoryReport(plan, before, loading, running)


def most_while(value: Callable[[], float], work: Callable[[], object]) -> float:
    """The largest value during some work, and after it."""
    ended = threading.Event()
    found: list[float] = []

    def sample() -> None:
        while not ended.wait(PERIOD_S):
            found.append(value())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        work()
    finally:
        ended.set()
        thread.join()
    return float(np.max([*found, value()]))


def format_memory(report: MemoryReport) -> str:
    """A table: each part of the plan, its sum, and what was measured."""
    parts = {'process and libraries': report.before}
    parts.update({name: size / 1e6 for name, size in report.plan.parts.items()})
    rows = [[name, f'{size:.0f}'] for name, size in parts.items()]
    rows.append(['planned', f'{report.planned:.0f}'])
    rows.append(['measured', f'{report.running:.0f}'])
    rows.append(['plan against measured', f'{100 * report.error:+.1f} %'])
    rows.append(['most while loading', f'{report.loading:.0f}'])
    return format_table(('memory', 'MB'), rows)
