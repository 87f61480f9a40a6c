"""Fixtures for all tests: a ROS domain of its own for each test that uses ROS."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

import mobilevlm_ros

ROOT = Path(__file__).resolve().parent.parent


def _load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As of a shell's job in the background; the programs that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
environment = _load_tool('environment')
environment.configure(Path(sys.prefix), os.environ)
# The same examples in every run; how long one takes says nothing of the code.
settings.register_profile(
    'same', derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile('same')


@pytest.fixture(scope='session')
def load_tool() -> Callable[[str], ModuleType]:
    """Loads a script of tools/ as a module."""
    return _load_tool


@pytest.fixture(scope='session')
def root() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain that no other test or demo on this machine uses, in ROS_DOMAIN_ID.

    Take this fixture before anything that calls rclpy.init() or starts a node.
    """
    with environment.own_domain() as domain:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
        yield domain


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that no process waits for the other at the end."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


def pytest_sessionstart() -> None:
    """Refuses to test a package that lacks files of the source tree."""
    folders = [Path(folder) for folder in mobilevlm_ros.__path__]
    package = ROOT / 'mobilevlm_ros'
    sources = (path.relative_to(package) for path in package.rglob('*.py'))
    absent = [str(path) for path in sources if not any((f / path).exists() for f in folders)]
    if absent:
        pytest.exit(f'not installed: {", ".join(absent)}; run `make setup`', returncode=4)
