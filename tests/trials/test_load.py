"""Many clients at once, in a small version of what `make load` runs."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros


def test_every_request_of_many_processes_ends_with_the_right_answer(ros_domain, tmp_path):
    command = [sys.executable, '-m', 'mobilevlm_ros.trials.load', '--clients', '3', '--asks', '8']
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '24 requests, 24 ended' in done.stdout and 'OK: 24' in done.stdout
