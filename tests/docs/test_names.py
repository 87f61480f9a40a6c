"""Parameters, fields, topics and files that the pages name exist."""

import re

import pytest
import yaml

from mobilevlm_ros import msg
from mobilevlm_ros.engine import EngineConfig
from mobilevlm_ros.navigation.config import PatrolConfig
from mobilevlm_ros.nodes import config
from tests.docs.commands import launch_arguments
from tests.docs.pages import PAGES, ROOT, inline_code, table

CONFIGS = (
    EngineConfig,
    PatrolConfig,
    config.VlmNodeConfig,
    config.CameraConfig,
    config.CameraNodeConfig,
    config.SimNodeConfig,
    config.PatrolNodeConfig,
)
CODES = [pair for page in PAGES for pair in inline_code(page)]
FOLDERS = (ROOT, ROOT / 'mobilevlm_ros')
VLM = 'vlm.launch.py'
# Of Nav2, of checkpoints, of messages.
NOT_PARAMETERS = {'bond_timeout', 'n_head', 'mm_vision_select_layer', 'frame'}
SOURCES = ('mobilevlm_ros', 'msg', 'srv', 'action', 'config', 'launch', 'models', 'tools', 'tests',
           'stubs', 'requirements', 'benchmarks')
KINDS = {'.py', '.pyi', '.msg', '.srv', '.action', '.yaml', '.json', '.txt', '.xml', '.hpp', '.h'}
# Of the system, of JetPack, of Nav2, of llama.cpp, of older rclpy.
FOREIGN = {
    'smaps_rollup', 'OMP_WAIT_POLICY',
    'POWER_MODEL', 'jetson_clocks', 'libnvdla_compiler',
    'behaviortree_cpp_v3', 'bt_navigator', 'plugin_lib_names',
    'DGGML_CUDA_NO_VMM', 'json_schema_to_gbnf', 'llama_sampler_accept',
    'llama_sampler_init_grammar', 'srv_name', 'image_tools', 'usb_cam', 'usb_cam_node_exe',
}  # fmt: skip


def matching(pattern):
    """Places and groups of inline code of this form."""
    return [(place, *match.groups()) for place, code in CODES
            if (match := re.fullmatch(pattern, code))]


@pytest.mark.parametrize(
    ('place', 'name', 'text'), matching(r'(?:<\w+>\.)?([a-z]\w+): (\S+)'), ids=str
)
def test_a_parameter_has_the_name_and_may_have_the_value(place, name, text):
    kinds = [kind for kind in CONFIGS if name in kind.__dataclass_fields__]
    assert kinds or name in NOT_PARAMETERS
    for kind in kinds:
        kind(**{name: yaml.safe_load(text)})


@pytest.mark.parametrize(
    ('place', 'message', 'field'),
    [row for row in matching(r'([A-Z]\w+)\.([a-z]\w+)') if hasattr(msg, row[1])],
    ids=str,
)
def test_a_message_has_the_field(place, message, field):
    assert field in getattr(msg, message).get_fields_and_field_types()


MADE = {'build', 'install', 'log', 'out'}  # by commands: not there in a fresh clone
PARTS = '|'.join(
    path.name
    for folder in FOLDERS
    for path in folder.iterdir()
    if path.is_dir() and path.name not in MADE
)


@pytest.mark.parametrize(('place', 'path'), matching(rf'((?:{PARTS})/[\w./*-]*)'), ids=str)
def test_a_path_is_one_of_the_tree(place, path):
    assert any(list(folder.glob(f'{path}*')) for folder in FOLDERS)


INTERFACES = ROOT / 'docs' / 'interfaces.md'


def test_the_table_of_statuses_is_whole_and_has_their_numbers():
    rows = table(INTERFACES, 'Status')
    told = [pair for row in rows for pair in re.findall(r'`(\w+)` \((\d+)\)', row[0])]
    assert {**{name: int(number) for name, number in told}, 'OK': 0} == constants(msg.Status)


def test_the_ways_to_choose_a_frame_have_their_numbers():
    told = re.findall(r'`frame: (\d)` \(`(\w+)`\)', INTERFACES.read_text('utf-8'))
    assert {name: int(number) for number, name in told} == constants(msg.Query)


def constants(message):
    return {name: value for name, value in vars(message).items()
            if name.isupper() and isinstance(value, int)}


def test_the_readme_names_launch_arguments_that_there_are():
    assert set(told_arguments('README.md', 'Launch argument')) <= set(launch_arguments(VLM))


def test_the_table_of_launch_arguments_is_whole_and_has_their_defaults():
    declared = launch_arguments(VLM)
    told = told_arguments('docs/nodes.md', 'argument')
    assert set(told) == set(declared)
    defaults = {name: about['default_value'] for name, about in declared.items()}
    wrong = {name: text for name, text in told.items() if isinstance(defaults[name], str)
             and text.strip('`') != (defaults[name] or 'none')}
    assert wrong == {}


def told_arguments(page, column):
    """Names and defaults, of which a row may hold several."""
    rows = table(ROOT / page, column)
    return {
        name: default
        for row in rows
        for name, default in zip(
            re.findall(r'`(\w+)`', row[0]), row[1].split(', '), strict=page != 'README.md'
        )
    }


def test_every_word_with_an_underscore_is_in_the_tree():
    """A weak test, for names of all other kinds: functions, columns, files of a bundle."""
    texts = [text for part in SOURCES for path in (ROOT / part).rglob('*')
             if path.suffix in KINDS for text in (path.stem, path.read_text('utf-8'))]
    known = set(re.findall(r'\w+', '\n'.join(texts)))
    words = {word for _, code in CODES for word in re.findall(r'[A-Za-z]\w*_\w+', code)}
    assert sorted(words - known - FOREIGN) == []
