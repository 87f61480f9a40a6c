"""Every command that a page names exists with its options, whether it is run or not."""

import re
import subprocess

import pytest

from tests.docs.blocks import page_blocks
from tests.docs.commands import commands, fault
from tests.docs.pages import PAGES, ROOT, inline_code

SHELL = [block for block in page_blocks() if block.language == 'sh']
NAMED = [
    (place, code)
    for page in PAGES
    for place, code in inline_code(page)
    if re.match(r'(\.venv/bin/)?(mobilevlm|make|ros2|python|pytest) ', code)
]


def faults(text):
    return [problem for words in commands(text) if (problem := fault(words))]


@pytest.mark.parametrize('block', SHELL, ids=str)
def test_commands_of_a_block_exist(block):
    assert faults(block.text) == []


@pytest.mark.parametrize(('place', 'code'), NAMED, ids=lambda value: value)
def test_commands_within_the_text_exist(place, code):
    assert faults(code) == []


@pytest.mark.parametrize(
    'text',
    [
        'mobilevlm asks models/nano',
        'sudo mobilevlm ask models/nano --no-such-option',
        'make && make no-such-target',
        'make bench NO_SUCH=1',
        'ros2 launch mobilevlm_ros vlm.launch.py imagee:=/camera',
        'ros2 launch mobilevlm_ros vlm.launch.py respawn:=perhaps',
        "ros2 service call /vlm_node/ask mobilevlm_ros/srv/Ask '{query: {questoin: a}}'",
        'python benchmarks/no_such_file.py',
        'python benchmarks/int8_towers.py --no-such-option',
        '.venv/bin/python tools/environment.py .venv/bin/pytest tests/no_such_folder',
    ],
)
def test_a_command_that_does_not_exist_is_found(text):
    assert len(faults(text)) == 1


def test_a_shell_text_is_split_into_its_commands():
    text = "A=1 sudo make test  # not this\ncd x && . y; pip install 'a b' \\\n  c > out\n"
    assert list(commands(text)) == [
        ['make', 'test'], ['cd', 'x'], ['.', 'y'], ['pip', 'install', 'a b', 'c'], ['out'],
    ]  # fmt: skip


def test_make_help_names_every_target():
    said = subprocess.check_output(['make', '--no-print-directory', 'help'], cwd=ROOT, text=True)
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = set(re.search(r'^\.PHONY: (.*)$', makefile, re.MULTILINE)[1].split())
    assert set(re.findall(r'^make ([\w-]+)', said, re.MULTILINE)) == targets - {'help'}
