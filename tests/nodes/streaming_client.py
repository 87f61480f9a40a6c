"""A client in a process of its own: reads a long answer and says what came of it."""

import sys

from mobilevlm_ros.client import VlmClient, VlmClientError

with VlmClient() as vlm:
    try:
        for piece in vlm.stream('Slow?', deadline_s=float(sys.argv[1]), max_tokens=300):
            print(piece, end='', flush=True)
    except VlmClientError as error:
        print(f'\n{error}', flush=True)
