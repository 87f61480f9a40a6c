"""The soak as `make soak` runs it, in seconds instead of minutes."""

import json
import subprocess
import sys

import pytest

from mobilevlm_ros.trials.soak.cameras import COLOURS

pytestmark = [pytest.mark.ros, pytest.mark.slow]


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_every_reply_is_about_the_newest_frame_of_the_right_camera(
    ros_domain, tmp_path, transport
):
    file = tmp_path / 'soak.json'
    command = [sys.executable, '-m', 'mobilevlm_ros.trials.soak.main', '--transport', transport]
    command += ['--seconds', '12', '--rate', '0.5', '--asks', '1', '--json', str(file)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found['violations'] == found['left'] == []
    assert found['asked'] >= len(COLOURS) and set(found['lags']) <= {'0', '1'}
    assert found['frames'].keys() == COLOURS.keys()
    assert found['samples'][0]['at_s'] < found['samples'][-1]['at_s']
