"""The scripts behind the Makefile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy
import pytest


@pytest.fixture(scope='module')
def setup_venv(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool('setup_venv')


@pytest.fixture(scope='module')
def environment(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool('environment')


def test_builders_folders_in_the_wheels_become_those_of_this_environment(
    load_tool: Callable[[str], ModuleType],
) -> None:
    repair = load_tool('fix_ros_wheels').repair
    builder = '/opt/python/cp311-cp311'
    text = (
        f'"${{_IMPORT_PREFIX}}/include;{builder}/include/python3.11;'
        f'{builder}/lib/python3.11/site-packages/numpy/_core/include"'
    )
    python = sysconfig.get_paths()['include']
    assert repair(text) == f'"${{_IMPORT_PREFIX}}/include;{python};{numpy.get_include()}"'
    assert repair('/opt/ros/jazzy/include') == '/opt/ros/jazzy/include'


def test_missing_system_packages_are_named_together(
    setup_venv: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup_venv.shutil, 'which', lambda name: None)
    monkeypatch.setattr(setup_venv.importlib.util, 'find_spec', lambda name: None)
    monkeypatch.setattr(setup_venv.sysconfig, 'get_paths', lambda: {'include': str(tmp_path)})
    with pytest.raises(setup_venv.SetupError, match='apt install python3-venv python3-dev g'):
        setup_venv.check_system()


@pytest.mark.parametrize('version', [(3, 9, 2), (3, 14, 0)])
def test_unserved_python_is_refused_with_a_way_out(
    setup_venv: ModuleType, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(setup_venv.sys, 'version_info', version)
    with pytest.raises(setup_venv.SetupError, match=r'make PYTHON=python3\.12'):
        setup_venv.check_system()


def test_steps_are_skipped_until_their_inputs_change(
    setup_venv: ModuleType, tmp_path: Path
) -> None:
    done: list[str] = []
    environment = setup_venv.Environment(tmp_path, 'jazzy')
    for inputs in ('a', 'a', 'b', 'b'):
        environment.step('ros', 'installing', inputs, lambda inputs=inputs: done.append(inputs))
    assert done == ['a', 'b']


def test_failed_step_is_tried_again(setup_venv: ModuleType, tmp_path: Path) -> None:
    environment = setup_venv.Environment(tmp_path, 'jazzy')
    done: list[int] = []

    def fail() -> None:
        raise setup_venv.SetupError('no network')

    with pytest.raises(setup_venv.SetupError):
        environment.step('ros', 'installing', 'a', fail)
    environment.step('ros', 'installing', 'a', lambda: done.append(1))
    assert done == [1]


def test_failed_command_shows_the_end_of_its_output(
    setup_venv: ModuleType, tmp_path: Path
) -> None:
    environment = setup_venv.Environment(tmp_path, 'jazzy')
    with pytest.raises(setup_venv.SetupError, match='disk full'):
        environment.run(sys.executable, '-c', 'raise SystemExit("disk full")')
    assert 'disk full' in (tmp_path / 'setup.log').read_text(encoding='utf-8')


def test_progress_is_read_from_the_current_commands_output(
    setup_venv: ModuleType, tmp_path: Path
) -> None:
    log = tmp_path / 'log'
    log.write_text('[9/9] earlier\n$ pip\n', encoding='utf-8')
    begin = log.stat().st_size
    assert setup_venv.build_step(log, begin) == ''
    with open(log, 'a', encoding='utf-8') as file:
        file.write('  [1/193] g++ a.cpp\n  [2/193] g++ b.cpp\n')
    assert setup_venv.build_step(log, begin) == ', compiler step 2/193'


def test_links_to_deleted_sources_go_and_others_stay(
    setup_venv: ModuleType, tmp_path: Path, root: Path
) -> None:
    links = {
        'deleted.py': root / 'mobilevlm_ros' / 'no_such_module.py',
        'kept.py': root / 'setup.py',
        'foreign.so': tmp_path / 'nowhere.so',
    }
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    setup_venv.prune_links(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['foreign.so', 'kept.py']


@pytest.fixture
def taken(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that are bound, in a network that nobody else uses."""
    ports: set[int] = set()

    class Socket:
        def __enter__(self) -> Socket:
            self.port = 0
            return self

        def __exit__(self, *_: object) -> None:
            ports.discard(self.port)

        def bind(self, address: tuple[str, int]) -> None:
            if address[1] in ports:
                raise OSError('in use')
            self.port = address[1]
            ports.add(self.port)

    monkeypatch.setattr(environment, 'socket', SimpleNamespace(socket=Socket))
    return ports


def test_a_domain_is_free_for_others_afterwards(
    environment: ModuleType, taken: set[int]
) -> None:
    with environment.own_domain() as domain:
        assert taken == {environment.LOCK_PORT + domain}
    assert not taken


def test_a_taken_domain_is_taken_for_every_process(environment: ModuleType) -> None:
    with environment.own_domain() as domain, socket.socket() as other, pytest.raises(OSError):
        other.bind(('127.0.0.1', environment.LOCK_PORT + domain))


def test_two_domains_at_a_time_differ(environment: ModuleType) -> None:
    with environment.own_domain() as first, environment.own_domain() as second:
        assert first != second
        assert {first, second} <= set(environment.DOMAINS)


@pytest.mark.usefixtures('taken')
def test_taken_domains_are_passed_over(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, 'DOMAINS', range(1, 3))
    with environment.own_domain() as first, environment.own_domain() as second:
        assert {first, second} == {1, 2}
        with pytest.raises(RuntimeError, match='taken'), environment.own_domain():
            pass


def test_commands_run_in_the_environment(root: Path) -> None:
    program = 'import os; print(os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"])'
    command = [sys.executable, root / 'tools' / 'environment.py', sys.executable, '-c', program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == 'LOCALHOST\n'
    failing = [*command[:-1], 'raise SystemExit(3)']
    assert subprocess.run(failing, check=False).returncode == 3


def test_profile_of_the_environment_is_installed(environment: ModuleType) -> None:
    environ = {'PATH': os.defpath}
    environment.configure(Path(sys.prefix), environ)
    named = [Path(environ[name]) for name in environ if name.endswith('DEFAULT_PROFILES_FILE')]
    assert len(named) == 1 and named[0].is_file()


def test_the_compiler_is_told_to_leave_amx_out_behind_the_users_flags(
    load_tool: Callable[[str], ModuleType],
) -> None:
    install_llama = load_tool('install_llama')
    flagged = install_llama.with_flag('-mno-amx-int8', {'CXXFLAGS': '-O2', 'HOME': '/home/me'})
    assert flagged == {
        'HOME': '/home/me', 'CFLAGS': '-mno-amx-int8', 'CXXFLAGS': '-O2 -mno-amx-int8',
    }
    assert install_llama.crashes('CPU : AMX_INT8 = 1 | ') and not install_llama.crashes('CPU : ')


def test_flags_that_the_compiler_does_not_know_are_not_given(
    load_tool: Callable[[str], ModuleType],
) -> None:
    knows = load_tool('install_llama').knows
    assert knows('-O2', os.environ) and not knows('-mno-such-thing', os.environ)


COUNTED_BUILD = """
import sys
from setuptools import setup

if 'bdist_wheel' in sys.argv:
    with open({log!r}, 'a') as log:
        log.write('compiled ')
setup(name='llama-cpp-python', version='1.0', py_modules=[])
"""


@pytest.mark.slow
def test_llama_cpp_is_compiled_once_for_all_environments_even_without_pip_s_cache(
    load_tool: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    log, source = tmp_path / 'log', tmp_path / 'llama_cpp_python-1.0'
    source.mkdir()
    (source / 'setup.py').write_text(COUNTED_BUILD.format(log=str(log)), encoding='utf-8')
    with tarfile.open(f'{source}.tar.gz', 'w:gz') as archive:
        archive.add(source, source.name)
    pip = ['--no-index', '--no-cache-dir', '--no-build-isolation', '--find-links', str(tmp_path)]
    for _ in range(2):
        load_tool('install_llama').compile_into(
            tmp_path / 'wheels', [*pip, 'llama-cpp-python==1.0'], os.environ
        )
    assert log.read_text(encoding='utf-8') == 'compiled '
    assert [path.suffix for path in (tmp_path / 'wheels').iterdir()] == ['.whl']


def test_a_build_serves_its_processor_and_its_flags_alone(
    load_tool: Callable[[str], ModuleType],
) -> None:
    install_llama = load_tool('install_llama')
    flags, processors = ({}, {'CXXFLAGS': '-O2'}, {'CMAKE_ARGS': '-O2'}), ('flags: avx2', '')
    keys = {install_llama.build_key(f, processor) for f in flags for processor in processors}
    assert len(keys) == 6
    assert install_llama.build_key({'HOME': '/me'}, '') == install_llama.build_key({}, '')
    assert install_llama.processor()


@pytest.mark.parametrize(
    ('arguments', 'ran'),
    [
        ('', "-m 'not slow'  tests/nodes tests/client tests/demo tests/trials"),
        ('-x -k "a or b"', '-x -k "a or b" tests/nodes tests/client tests/demo tests/trials'),
        ('tests/nodes/test_ways.py tests/engine -x', ' -x tests/nodes/test_ways.py'),
        ('tests/engine -x', ''),
    ],
)
def test_other_distributions_run_what_is_asked_for_of_what_talks_ros(
    root: Path, arguments: str, ran: str
) -> None:
    command = ['make', '--no-print-directory', '-n', 'test-ros', 'DISTRO=kilted']
    command.append(f'ARGS={arguments}')
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert ran in done.stdout if ran else 'pytest' not in done.stdout


def test_bindings_of_tensorrt_are_pinned_in_three_versions(
    load_tool: Callable[[str], ModuleType], root: Path
) -> None:
    pins = load_tool('install_tensorrt_names').pins(root / 'requirements' / 'tensorrt-names.txt')
    versions = [pin.removeprefix('tensorrt_cu12_bindings==') for pin in pins]
    assert [version.partition('.')[0] for version in versions] == ['10', '10', '11']
