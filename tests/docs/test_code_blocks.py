"""Every code block of the pages does what it says, or says why it is not run."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

from mobilevlm_ros.engine.schema import parse_schema
from mobilevlm_ros.nodes.probes import parse_probes
from tests.docs.blocks import docstring_blocks, page_blocks
from tests.docs.outputs import misfit
from tests.docs.pages import ROOT

BLOCKS = [*page_blocks(), *docstring_blocks()]
RUN = [block for block in BLOCKS if not (block.not_run or block.output)]
LANGUAGES = {'sh', 'python', 'yaml', 'json', 'cpp', 'xml', 'text'}
REASON = re.compile(r'(needs|takes|changes|is) .{8,}')
# `make demo` drives for half a minute; any share of right answers will do on a busy machine.
SHORTER = '--seconds 5 --questions 1 --pass-share 0'


def of(language):
    """A parameter for each block in a language."""
    return pytest.mark.parametrize(
        'block', [block for block in RUN if block.language == language], ids=str
    )


def output_of(block):
    """What the page shows as the output of a block; empty: nothing."""
    after = BLOCKS[BLOCKS.index(block) + 1 :][:1]
    return after[0].text if after and after[0].output else ''


def test_every_block_has_a_language_and_runs_or_says_why_not():
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    reasons = {str(block): block.not_run for block in BLOCKS if block.not_run}
    assert {name: text for name, text in reasons.items() if not REASON.fullmatch(text)} == {}
    tests = [word for text in reasons.values() for word in re.findall(r'tests/[\w./]+', text)]
    assert [name for name in tests if not (ROOT / name).exists()] == []


def test_only_commands_may_be_left_out():
    """Data and programs can always be read or compiled."""
    assert {block.language for block in BLOCKS if block.not_run} <= {'sh'}


def test_every_output_has_the_block_that_prints_it():
    pairs = pairwise(BLOCKS)
    assert [str(b) for a, b in pairs if b.output and (a.output or a.page != b.page)] == []


def run(command, block, tree, environ):
    """Run a block; it must succeed, and print what the page shows."""
    done = subprocess.run(
        command, cwd=tree, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert misfit(output_of(block), done.stdout) == '', done.stdout


@pytest.mark.ros
@of('sh')
def test_commands_succeed(block, tree, environ, request):
    if 'ros2 service' in block.text or 'ros2 topic' in block.text:
        request.getfixturevalue('vlm_node')
    run(['bash', '-euc', block.text], block, tree, {**environ, 'ARGS': SHORTER})


@pytest.mark.ros
@of('python')
def test_programs_run(block, tree, environ, request):
    if 'mobilevlm_ros.client' in block.text:
        request.getfixturevalue('vlm_node')
    run([sys.executable, '-c', block.text], block, tree, environ)


@pytest.mark.ros
@of('yaml')
def test_yaml_is_taken_by_what_reads_it(block, tmp_path, start, make_node):
    if 'ros__parameters' not in block.text:
        assert parse_probes(block.text)
        return
    file = tmp_path / 'params.yaml'
    file.write_text(block.text, encoding='utf-8')
    for name, entry in yaml.safe_load(block.text).items():
        node = make_node(
            name.rpartition('/')[2],
            cli_args=['--ros-args', '--params-file', str(file)],
            automatically_declare_parameters_from_overrides=True,
        )
        for parameter, value in entry['ros__parameters'].items():
            assert node.get_parameter(parameter).value == value


@of('json')
def test_a_schema_is_served_and_the_shown_answer_fits_it(block):
    answer, state = output_of(block).strip(), parse_schema(block.text)
    jsonschema.validate(json.loads(answer), json.loads(block.text))
    for byte in answer.encode():
        state = state and state.step(byte)
    assert state and state.accepts


@of('cpp')
def test_cpp_compiles_with_our_messages(block, tmp_path):
    """Against the generated headers, and declarations in the place of Nav2's."""
    source = tmp_path / 'block.cpp'
    source.write_text(block.text, encoding='utf-8')
    headers = [path for path in Path(sys.prefix, 'include').iterdir() if path.is_dir()]
    folders = [Path(__file__).with_name('stand_ins'), *headers]
    command = ['c++', '-std=c++17', '-Wall', '-Werror', '-fsyntax-only', str(source)]
    subprocess.run([*command, *(f'-I{folder}' for folder in folders)], check=True)


@of('xml')
def test_a_tree_uses_ports_that_its_node_has(block):
    program = next(other for other in BLOCKS if other.language == 'cpp')
    ports = set(re.findall(r'BT::\w+Port<.+?>\("(\w+)"', program.text))
    ports |= {'service_name', 'server_timeout'}  # of every BtServiceNode
    nodes = list(ET.fromstring(block.text).iter('VlmCheck'))
    assert nodes and all(set(node.attrib) <= ports for node in nodes)
