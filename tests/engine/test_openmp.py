"""OpenMP's threads, counted by Linux."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys, time
from pathlib import Path
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.openmp import release_threads
options = {'context_length': 64, 'cells': 256, 'sequences': 2, 'threads': 3}
llm = LlamaCppLanguageModel(Path(sys.argv[1]), **options)
def threads():
    return set(os.listdir('/proc/self/task'))
before = threads()
llm.decode(0, [1, 300])
computing = threads() - before
release_threads()
while computing & threads():  # Linux lists a thread for a moment after it has ended
    time.sleep(0.01)
again = llm.decode(0, [301])
print(len(computing), again.shape)
llm.close()
"""


def test_threads_of_a_thread_that_computes_no_more_are_ended(tiny_bundle: Path) -> None:
    command = [sys.executable, '-c', PROGRAM, str(tiny_bundle / 'llm.gguf')]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.startswith('2 ')
