"""The soak as `make soak` runs it, in seconds instead of minutes."""

import json
import subprocess
import sys

import pytest

from mobilevlm_ros.trials.soak.cameras import COLOURS

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_every_reply_is_about_the_newest_frame_of_the_right_camera(
    ros_domain, tmp_path, transport
):
    file = tmp_path / 'soak.json'
    command = [sys.executable, '-m', 'mobilevlm_ros.trials.soak.main', '--transport', transport]
    command += ['--seconds', '12', '--rate', '1', '--asks', '1', '--json', str(file)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=230, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found['violations'] == found['left'] == []
    assert found['asked'] >= 11 and set(found['lags']) <= {'0', '1'}
    assert found['frames'].keys() == COLOURS.keys()
    assert len(found['samples']) >= 20
