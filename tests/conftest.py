"""Fixtures for all tests: a ROS domain of its own for each test that talks ROS."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = _load_tool('environment')
environment.configure(Path(sys.prefix), os.environ)


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
