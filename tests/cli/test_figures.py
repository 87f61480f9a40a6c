import json
import resource
from pathlib import Path

import pytest

from mobilevlm_ros.cli.figures import write_figures


def test_figures_are_json(tmp_path: Path) -> None:
    write_figures(tmp_path / 'figures.json', {'right': 0.5})
    assert json.loads((tmp_path / 'figures.json').read_text()) == {'right': 0.5}


def test_figures_that_do_not_fit_on_the_disk_are_named_and_leave_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'figures.json'
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match=r'figures\.json'):
            write_figures(path, ['x' * 5000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()


def test_a_device_stays() -> None:
    with pytest.raises(OSError, match='/dev/full'):
        write_figures(Path('/dev/full'), {})
    assert Path('/dev/full').exists()
