"""Where the time of one frame goes in a vision file: operators of ONNX Runtime, the longest first.

    python benchmarks/vision_profile.py build/bench/bundle/vision-int8.onnx [--threads 2]

Milliseconds a frame as ONNX Runtime's own profiler tells, after one run to warm up. Let nothing
else run meanwhile.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from mobilevlm_ros.engine.cpu import thread_count

FRAMES = 10
LEAST = 0.005  # share of the whole that an operator is named from


def profile(path: Path, threads: int, folder: Path) -> list[dict[str, Any]]:
    """The profiler's events of all runs, the first one included."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count(threads)
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')  # as the engine does
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / 'profile')
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    given = session.get_inputs()[0]
    pixels = np.random.default_rng(0).normal(size=(1, *given.shape[1:])).astype(np.float32)
    for _ in range(1 + FRAMES):
        session.run(None, {given.name: pixels})
    events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text())
    return events


def of_operators(events: list[dict[str, Any]]) -> Counter[str]:
    """Milliseconds a frame of each operator, without the first frame."""
    nodes = [e for e in events if e['cat'] == 'Node' and e['name'].endswith('_kernel_time')]
    spent: Counter[str] = Counter()
    for event in nodes[len(nodes) // (1 + FRAMES) :]:
        spent[event['args']['op_name']] += event['dur'] / 1e3 / FRAMES
    return spent


def main() -> None:
    """Print a row for each operator."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('onnx', type=Path)
    parser.add_argument('--threads', type=int, default=0, help='0: one per core')
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        spent = of_operators(profile(args.onnx, args.threads, Path(folder)))
    whole = sum(spent.values())
    named = [(name, ms) for name, ms in spent.most_common() if ms >= LEAST * whole]
    rest = whole - sum(ms for _, ms in named)
    for name, ms in [*named, ('others', rest), ('all', whole)]:
        print(f'{name:26}{ms:9.1f} ms{ms / whole:8.1%}')


if __name__ == '__main__':
    main()
