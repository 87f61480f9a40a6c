"""stubs/tensorrt.pyi against NVIDIA's own bindings of several versions.

This proves that the names exist and take what we pass. What they do needs a GPU.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FUNCTIONS = (
    'createInferBuilder_INTERNAL', 'createInferRefitter_INTERNAL', 'createInferRuntime_INTERNAL',
    'createNvOnnxParserRefitter_INTERNAL', 'createNvOnnxParser_INTERNAL',
    'getBuilderPluginRegistry', 'getNvOnnxParserVersion', 'getPluginRegistry',
    'initLibNvInferPlugins',
)  # fmt: skip
LIBRARIES = ('nvinfer', 'nvinfer_plugin', 'nvonnxparser')

Names = dict[str, 'tuple[str, ...] | None']  # parameters beside self; None: not a function


def versions() -> list[Path]:
    """Folders with bindings, as tools/install_tensorrt_names.py lays them out."""
    folder = os.environ.get('TENSORRT_NAMES') or Path(sys.prefix, 'tensorrt-names')
    return sorted(Path(folder).glob('*'))


def stub_names(body: list[ast.stmt], prefix: str = '') -> Names:
    """Everything public that the stub declares."""
    names: Names = {}
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
            names[prefix + node.name] = None
            names.update(stub_names(node.body, f'{prefix}{node.name}.'))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[prefix + node.target.id] = None
        elif isinstance(node, ast.FunctionDef) and node.name != '__buffer__':
            arguments = tuple(argument.arg for argument in node.args.args[1:])
            names[prefix + node.name] = None if node.decorator_list else arguments
    return names


def signatures(name: str, doc: str) -> list[list[str]]:
    """The parameters of each overload in a docstring of pybind11, self left out."""
    found = re.findall(rf'^(?:\d+\. )?{name}\((.*)\) ->', doc, re.MULTILINE)
    return [
        [text for text in re.split(r', (?=\w+:)|, (?=/)', parameters)[1:] if text != '/']
        for parameters in found
    ]


def takes(parameters: list[str], given: tuple[str, ...]) -> bool:
    """Whether a call with these arguments, by place, leaves out only what has a default."""
    names = [text.partition(':')[0] for text in parameters]
    rest = parameters[len(given) :]
    return names[: len(given)] == list(given) and all(' = ' in text for text in rest)


@pytest.fixture(scope='module')
def stub(root: Path) -> Names:
    text = (root / 'stubs' / 'tensorrt.pyi').read_text()
    return stub_names(ast.parse(text).body)


@pytest.fixture(scope='module', params=versions(), ids=lambda path: path.name)
def bindings(
    request: pytest.FixtureRequest, stub: Names, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What one version's bindings say of themselves."""
    compiler = shutil.which('c++') or shutil.which('g++')
    if compiler is None:
        pytest.skip('needs a C++ compiler')
    folder = tmp_path_factory.mktemp('libraries')
    major = request.param.name.partition('.')[0]
    source = '\n'.join(f'extern "C" void *{name}() {{ return 0; }}' for name in FUNCTIONS)
    for library in LIBRARIES:
        name = f'lib{library}.so.{major}'
        command = [compiler, '-shared', '-fPIC', '-x', 'c++', '-', f'-Wl,-soname,{name}']
        subprocess.run([*command, '-o', folder / name], input=source, text=True, check=True)
    result = subprocess.run(
        [sys.executable, HERE / 'tensorrt_names.py', request.param, folder],
        input=' '.join(stub), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_every_name_of_the_stub_exists(stub: Names, bindings: dict[str, Any]) -> None:
    assert len(stub) > 70
    assert [name for name, doc in bindings['docs'].items() if doc is None] == []


def test_every_method_takes_what_the_stub_says(stub: Names, bindings: dict[str, Any]) -> None:
    compared = 0
    for name, given in stub.items():
        method = name.rpartition('.')[2]
        if given is None or (method.startswith('__') and method != '__init__'):
            continue
        overloads = signatures(method, bindings['docs'][name])
        assert any(takes(parameters, given) for parameters in overloads), (name, overloads)
        compared += 1
    assert compared > 30


def test_the_flag_of_strong_typing_is_a_bit(bindings: dict[str, Any]) -> None:
    assert bindings['flag'] in (1, 2)


def test_a_tensorrt_that_can_create_nothing_is_our_error(bindings: dict[str, Any]) -> None:
    assert bindings['failures']['build'].startswith('TensorRT cannot build here')
    assert bindings['failures']['run'].startswith('TensorRT cannot run here')


def test_a_signature_that_differs_is_found() -> None:
    doc = 'f(self: a.B, name: str, shape: a.Dims = <x: 0>) -> bool\n\n1. f(self: a.B, x: int) -> c'
    first, second = signatures('f', doc)
    assert takes(first, ('name',)) and takes(first, ('name', 'shape'))
    assert not takes(first, ()) and not takes(first, ('shape',))
    assert takes(second, ('x',)) and not takes(second, ('x', 'y'))
