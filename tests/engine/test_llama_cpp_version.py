import re
from pathlib import Path

import pytest

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.engine.llama_cpp_version import OLDEST, check_version


@pytest.mark.parametrize('version', [OLDEST, '0.3.36', '0.10.0', '1.0', f'{OLDEST}+cu124'])
def test_this_and_newer_releases_serve(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize('version', ['0.3.16', '0.2.90', '0.3'])
def test_an_older_release_is_named_with_what_to_run(version: str) -> None:
    with pytest.raises(BackendError, match=f'{version} is too old; .*pip install --upgrade'):
        check_version(version)


@pytest.mark.parametrize('file', ['README.md', 'setup.py', 'requirements/llama.txt'])
def test_every_setup_asks_for_the_oldest_that_serves(root: Path, file: str) -> None:
    asked = re.findall(r'llama-cpp-python>=([\d.]+)', (root / file).read_text(encoding='utf-8'))
    assert set(asked) == {OLDEST}
