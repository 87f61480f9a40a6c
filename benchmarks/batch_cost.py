"""What decoding several tokens at once costs, and how many at once leave the logits as they are.

Sizes take turns, so that whatever else the machine does meets all of them.
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


def measure(llm: LanguageModel, size: int) -> tuple[float, np.ndarray]:
    """Seconds for so many tokens at once, and the logits after the first."""
    llm.truncate(0, BEFORE)
    begin = time.perf_counter()
    (rows,) = llm.decode_parts([Part(0, list(range(300, 300 + size)), rows=size)])
    return time.perf_counter() - begin, rows[0].copy()


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
    seconds = np.array([[each[0] for each in run] for run in runs])
    alone = runs[0][0][1]
    print(f'{"tokens":>6}{"least ms":>10}{"least":>8}{"median":>8}{"logits differ by":>18}')
    for i, size in enumerate(SIZES):
        least, median = seconds[:, i].min(), np.median(seconds[:, i])
        ratios = least / seconds[:, 0].min(), median / np.median(seconds[:, 0])
        apart = np.abs(runs[0][i][1] - alone).max()
        print(f'{size:6}{least * 1e3:10.1f}{ratios[0]:8.2f}{ratios[1]:8.2f}{apart:18.4f}')


if __name__ == '__main__':
    main()
