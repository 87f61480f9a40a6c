import os
import subprocess
import sys
from pathlib import Path


def test_without_a_network_it_says_how_to_get_the_folder(root: Path, tmp_path: Path) -> None:
    program = (
        'from mobilevlm_ros.convert.hub import download\n'
        'from mobilevlm_ros.engine.errors import CheckpointError\n'
        'try: download("nobody/nothing")\n'
        'except CheckpointError as error: print(error)\n'
    )
    offline = {'HF_HUB_OFFLINE': '1', 'HF_HOME': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, '-c', program],
        env=os.environ | offline, cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith('nobody/nothing is no folder here')
    assert 'hf download nobody/nothing --local-dir FOLDER' in done.stdout
