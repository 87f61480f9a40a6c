"""The package's shape: who may import whom, one version, what is installed where."""

import ast
import dataclasses
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from mobilevlm_ros.engine import EngineConfig
from mobilevlm_ros.nodes.config import VlmNodeConfig

PACKAGE = 'mobilevlm_ros'
MESSAGES = {f'{PACKAGE}.{kind}' for kind in ('msg', 'srv', 'action')}
ROS = {'rclpy', 'sensor_msgs', 'std_msgs', 'nav_msgs', 'geometry_msgs', *MESSAGES}
HEAVY = {'torch', 'transformers'}
RUNNING = {f'{PACKAGE}.{part}' for part in ('nodes', 'demo', 'trials')}
INNER = RUNNING | {f'{PACKAGE}.{part}' for part in ('model', 'convert', 'training', 'cli')}
FORBIDDEN = {
    'engine': ROS | HEAVY | INNER | {f'{PACKAGE}.sim', f'{PACKAGE}.bench'},
    'bench': ROS | HEAVY | INNER | {f'{PACKAGE}.sim'},
    'sim': ROS | HEAVY | INNER,
    'navigation': ROS | HEAVY | INNER | {f'{PACKAGE}.sim'},
    'nodes': HEAVY | INNER - {f'{PACKAGE}.nodes'},
    'demo': HEAVY | INNER - {f'{PACKAGE}.nodes', f'{PACKAGE}.demo'},
    'trials': HEAVY | INNER - {f'{PACKAGE}.nodes', f'{PACKAGE}.trials'},
    'client': HEAVY | INNER | {f'{PACKAGE}.{part}' for part in ('engine', 'sim', 'navigation')},
    'model': ROS | INNER - {f'{PACKAGE}.model'},
    'convert': ROS | RUNNING | {f'{PACKAGE}.training', f'{PACKAGE}.cli'},
    'training': ROS | RUNNING | {f'{PACKAGE}.cli'},
    'cli': ROS | HEAVY | RUNNING,
}
# doctor reports on ROS where there is one; sim-patrol is a trial.
EXCEPTIONS = {
    ('cli/doctor.py', 'rclpy'),
    ('cli/sim_patrol.py', f'{PACKAGE}.trials'),
}


def imports(path: Path) -> set[str]:
    """Every module that the file names in an import, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: use absolute imports'
            names.update(f'{node.module}.{alias.name}' for alias in node.names)
    return names


def violations(package: Path, part: str) -> list[str]:
    found = []
    for path in sorted((package / part).rglob('*.py')):
        relative = path.relative_to(package).as_posix()
        for name in imports(path):
            for banned in FORBIDDEN[part]:
                if (name + '.').startswith(banned + '.') and (relative, banned) not in EXCEPTIONS:
                    found.append(f'{relative} imports {name}')
    return found


@pytest.mark.parametrize('part', FORBIDDEN)
def test_imports_go_one_way(root: Path, part: str) -> None:
    assert violations(root / PACKAGE, part) == []


@pytest.mark.parametrize(
    ('library', 'files'),
    [
        ('onnxruntime', {'onnx_encoder.py'}),
        ('llama_cpp', {'llama_cpp_llm.py', 'llama_cpp_library.py', 'llama_cpp_batch.py'}),
        ('tensorrt', {'tensorrt_build.py', 'tensorrt_encoder.py', 'tensorrt_log.py'}),
    ],
)
def test_each_inference_library_is_imported_by_its_own_files(
    root: Path, library: str, files: set[str]
) -> None:
    engine = (root / PACKAGE / 'engine').rglob('*.py')
    assert {path.name for path in engine if library in imports(path)} == files


def test_torch_is_borrowed_by_one_file_of_the_engine(root: Path) -> None:
    """It is imported by name there, where neither ruff nor the test above would see it."""
    engine = (root / PACKAGE / 'engine').rglob('*.py')
    by_name = re.compile(r"""['"](torch|transformers)\b['"]""")
    named = {path.name for path in engine if by_name.search(path.read_text(encoding='utf-8'))}
    assert named == {'torch_cuda.py'}


@pytest.mark.parametrize('part', ['nodes', 'demo', 'trials'])
def test_only_public_names_of_the_engine_are_used(root: Path, part: str) -> None:
    public = f'{PACKAGE}.engine.'
    deep = [
        f'{path.name}: {name}'
        for path in (root / PACKAGE / part).rglob('*.py')
        for name in imports(path)
        if name.startswith(public) and name.count('.') > 2
    ]
    assert deep == []


def test_an_import_that_goes_the_wrong_way_is_found(tmp_path: Path) -> None:
    (tmp_path / 'engine').mkdir()
    source = 'def f():\n    from mobilevlm_ros.msg import Answer\n    import torch.nn\n'
    (tmp_path / 'engine' / 'bad.py').write_text(source, encoding='utf-8')
    assert sorted(violations(tmp_path, 'engine')) == [
        'engine/bad.py imports mobilevlm_ros.msg.Answer',
        'engine/bad.py imports torch.nn',
    ]


def test_engine_imports_without_ros_and_torch(tmp_path: Path) -> None:
    blocked = sorted(ROS | HEAVY)
    program = (
        'import sys\n'
        f'for name in {blocked!r}: sys.modules[name] = None\n'
        'import mobilevlm_ros.engine, mobilevlm_ros.sim, mobilevlm_ros.cli.main\n'
        'import mobilevlm_ros.cli.build_engine, mobilevlm_ros.engine.engine_builder\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_messages_are_found_from_the_source_tree_and_from_elsewhere(
    root: Path, tmp_path: Path
) -> None:
    for folder in (root, tmp_path):
        program = 'import mobilevlm_ros.msg, mobilevlm_ros.srv, mobilevlm_ros.action'
        subprocess.run([sys.executable, '-c', program], cwd=folder, check=True)


def test_one_version(root: Path) -> None:
    declared = ET.parse(root / 'package.xml').findtext('version')
    command = [sys.executable, 'setup.py', '--version']
    output = subprocess.check_output(command, cwd=root, text=True, stderr=subprocess.DEVNULL)
    assert output.split()[-1] == declared


def test_every_interface_is_built(root: Path) -> None:
    cmake = (root / 'CMakeLists.txt').read_text(encoding='utf-8')
    for path in [*root.glob('msg/*'), *root.glob('srv/*'), *root.glob('action/*')]:
        assert f'  {path.parent.name}/{path.name}\n' in cmake


def test_every_interface_field_is_explained(root: Path) -> None:
    for path in [*root.glob('msg/*'), *root.glob('srv/*'), *root.glob('action/*')]:
        text = path.read_text(encoding='utf-8')
        assert text.startswith('# '), f'{path.name} does not say what it is'
        fields = [line for line in text.splitlines() if line and line[0] not in '#-']
        plain = [line for line in fields if '#' not in line]
        obvious = {'Timing timing', 'Query query'}
        assert set(plain) <= obvious, f'{path.name}: {plain} lack a comment'


def test_installed_where_ros_looks(root: Path) -> None:
    prefix = Path(sys.prefix)
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / PACKAGE
    share = prefix / 'share' / PACKAGE
    assert index.exists()
    for folder in ('launch', 'config', 'models'):
        for path in (root / folder).rglob('*'):
            if path.is_file() and '__pycache__' not in path.parts:
                assert (share / path.relative_to(root)).exists(), f'{path} is not installed'
    for script in (root / 'scripts').iterdir():
        assert os.access(prefix / 'lib' / PACKAGE / script.name, os.X_OK)


def test_shipped_parameters_exist_and_are_valid(root: Path) -> None:
    text = (root / 'config' / 'vlm.yaml').read_text(encoding='utf-8')
    parameters = yaml.safe_load(re.sub(r'^    # (\w+:)', r'    \1', text, flags=re.MULTILINE))
    found = parameters['/**/vlm_node']['ros__parameters']
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
    assert len(values) > 8
    node = {field.name for field in dataclasses.fields(VlmNodeConfig)}
    VlmNodeConfig(**{name: value for name, value in values.items() if name in node})
    EngineConfig(**{name: value for name, value in values.items() if name not in node})
