"""A client in a process of its own: reads a long answer and says what came of it."""

import math
import sys

from mobilevlm_ros.client import VlmClient, VlmClientError

with VlmClient(connect_s=60) as vlm:
    try:
        for piece in vlm.stream('Slow?', float(sys.argv[1]), max_tokens=300, max_age=math.inf):
            print(piece, end='', flush=True)
    except VlmClientError as error:
        print(f'\n{error}', flush=True)
