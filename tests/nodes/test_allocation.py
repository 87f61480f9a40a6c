"""Whether memory goes back to the system."""

import subprocess
import sys

GROWN = """
import ctypes, threading
from pathlib import Path
from mobilevlm_ros.nodes.allocation import LARGE, return_large_blocks

def resident_mb():
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 2**20

def use_blocks():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    for size in (3 * LARGE, 2 * LARGE, LARGE + 1):  # the first is what glibc would learn from
        blocks = [libc.malloc(size) for _ in range(4)]
        keep = libc.malloc(1000)  # what holds a heap in place
        for block in blocks:
            ctypes.memset(block, 1, size)
        for block in blocks:
            libc.free(block)

return_large_blocks()
before = resident_mb()
thread = threading.Thread(target=use_blocks)
thread.start()
thread.join()
print(resident_mb() - before)
"""


def test_large_blocks_are_given_back_by_every_thread() -> None:
    found = subprocess.run([sys.executable, '-c', GROWN], check=True, capture_output=True)
    assert float(found.stdout) < 10
