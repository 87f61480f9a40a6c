"""What decoding several tokens at once costs, and how many at once leave the logits as they are.

Sizes take turns, so that whatever else the machine does meets all of them. On a busy machine take
the CPU time with one thread: threads that wait for each other spend it too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from mobilevlm_ros.engine.draft import plan_drafts
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.steps import Part

BEFORE = 200  # tokens in the cache: an image and a question
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16)


def measure(llm: LanguageModel, size: int) -> tuple[float, float, np.ndarray]:
    """Seconds and CPU seconds for so many tokens at once, and the logits after the first."""
    llm.truncate(0, BEFORE)
    begin, cpu = time.perf_counter(), time.process_time()
    (rows,) = llm.decode_parts([Part(0, list(range(300, 300 + size)), rows=size)])
    return time.perf_counter() - begin, time.process_time() - cpu, rows[0].copy()


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('gguf', type=Path)
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--repeats', type=int, default=15)
    args = parser.parse_args()
    llm = LlamaCppLanguageModel(
        args.gguf, context_length=512, cells=512, sequences=2, threads=args.threads
    )
    prompt = [llm.bos, *llm.tokenise('USER: Describe the image briefly. ASSISTANT:')]
    print(f'drafts are exact with up to {plan_drafts(llm, 1, prompt).rows} tokens at once')
    llm.decode(0, list(range(300, 300 + BEFORE)))
    runs = [[measure(llm, size) for size in SIZES] for _ in range(args.repeats)]
    seconds = np.array([[each[:2] for each in run] for run in runs])
    least, median = seconds.min(axis=0), np.median(seconds, axis=0)
    print(f'{"tokens":>6}{"ms":>10}{"":8}{"CPU ms":>10}{"":8}{"logits differ by":>18}')
    for i, size in enumerate(SIZES):
        wall, cpu = least[i, 0], median[i, 1]
        apart = np.abs(runs[0][i][2] - runs[0][0][2]).max()
        print(
            f'{size:6}{wall * 1e3:10.1f}{wall / least[0, 0]:8.2f}'
            f'{cpu * 1e3:10.1f}{cpu / median[0, 1]:8.2f}{apart:18.4f}'
        )


if __name__ == '__main__':
    main()
