"""What the arguments of vlm.launch.py are made into."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mobilevlm_ros.nodes.launch_arguments import (
    CHOICES,
    LaunchArgumentError,
    check_names,
    one_of,
    read_number,
)
from mobilevlm_ros.nodes.launching import check_numbers, plan, plan_nodes, shared_file

ROOT = Path(__file__).parents[2]
NANO = str(ROOT / 'models/nano')
DEFAULTS = {
    'image': 'image', 'cameras': '', 'camera': '', 'seed': '3', 'bundle': '', 'remaps': '',
    'autostart': 'true', 'respawn': 'false', 'respawn_delay': '2.0', 'use_sim_time': '',
    'params_file': str(ROOT / 'config/vlm.yaml'), 'log_level': 'info', 'composition': 'false',
}  # fmt: skip


def planned(**arguments):
    return plan({**DEFAULTS, **arguments})


def refusal(**arguments):
    with pytest.raises(LaunchArgumentError) as caught:
        planned(**arguments)
    return str(caught.value)


def test_without_arguments_the_parameters_file_decides():
    result = planned()
    assert result.parameters == {'vlm_node': {'autostart': True}}
    assert result.remaps == ()
    assert result.processes(together=False) == [('vlm_node',)]


def test_the_topic_of_one_camera_serves_whatever_its_transport():
    assert planned(image='/camera/image_raw').remaps == (
        ('image', '/camera/image_raw'),
        ('image/compressed', '/camera/image_raw/compressed'),
    )


def test_a_compressed_topic_is_taken_as_compressed():
    result = planned(image='/camera/image_raw/compressed')
    assert result.parameters['vlm_node'] == {
        'autostart': True, 'cameras': ['camera'], 'camera.transport': 'compressed',
    }  # fmt: skip
    assert result.remaps == (('image/compressed', '/camera/image_raw/compressed'),)


@pytest.mark.parametrize('between', [',', ' ', ' , '])
def test_several_cameras_each_get_their_topic_and_transport(between):
    text = between.join(['front=/front/camera/image_raw', 'rear=/rear/image/compressed'])
    result = planned(cameras=text)
    assert result.parameters['vlm_node'] == {
        'autostart': True,
        'cameras': ['front', 'rear'],
        'front.transport': 'raw',
        'rear.transport': 'compressed',
    }
    assert result.remaps == (
        ('front/image', '/front/camera/image_raw'),
        ('rear/image/compressed', '/rear/image/compressed'),
    )


def test_one_named_camera_is_remapped_from_the_topic_that_a_single_one_has():
    assert planned(cameras='front=/front/image').remaps == (('image', '/front/image'),)


def test_the_node_that_publishes_images_is_started_before_and_in_one_process_if_asked(tmp_path):
    result = planned(camera=str(tmp_path), bundle=NANO)
    assert dict(result.parameters) == {
        'camera_node': {'path': str(tmp_path)},
        'vlm_node': {'autostart': True, 'bundle': NANO},
    }
    assert result.processes(together=False) == [('camera_node',), ('vlm_node',)]
    assert result.processes(together=True) == [('together', 'camera_node', 'vlm_node')]
    assert planned(camera='sim', seed='7').parameters['sim_node'] == {'seed': 7}


def test_remaps_of_the_user_come_first():
    result = planned(remaps='odom=/wheels/odom,image=/mine', image='/camera/image_raw')
    assert result.remaps[:3] == (
        ('odom', '/wheels/odom'), ('image', '/mine'), ('image', '/camera/image_raw'),
    )  # fmt: skip


@pytest.mark.parametrize(('namespace', 'name'), [('/', '/vlm_node'), ('/a/b', '/a/b/vlm_node')])
def test_values_are_written_under_full_names_as_yaml_of_the_right_types(namespace, name):
    text = planned(bundle=NANO, autostart='false').overrides(namespace)
    values = {'autostart': False, 'bundle': NANO}
    assert yaml.safe_load(text) == {name: {'ros__parameters': values}}


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ({'cameras': '/front/image'}, ["'/front/image'", 'name=topic', 'front=/front/image_raw']),
        ({'cameras': 'front='}, ["'front'", 'name=topic']),
        ({'cameras': 'my-cam=/image'}, ["'my-cam=/image'"]),
        ({'cameras': 'a=/x,a=/y'}, ['a is there twice']),
        ({'cameras': 'a=/x', 'camera': 'sim'}, ['leave image and camera out']),
        ({'cameras': 'a=/x', 'image': '/y'}, ['leave image and camera out']),
        ({'camera': 'sim', 'image': '/y/compressed'}, ['raw']),
        ({'camera': 'sim', 'seed': 'x'}, ["seed is 'x'"]),
        ({'camera': 'sim', 'seed': '99999999999'}, ["seed is '99999999999'", 'to 2147483648']),
        ({'image': '/camera//image'}, ["'/camera//image'", 'image:=/camera/image_raw']),
        ({'remaps': 'odom'}, ["'odom'", 'from=to']),
        ({'respawn': 'true', 'autostart': 'false'}, ['needs autostart:=true']),
        ({'camera': '/nowhere'}, ['camera: /nowhere does not exist', 'a folder of images']),
        ({'camera': 'Sim'}, ['camera: Sim does not exist', 'or sim']),
        ({'camera': '~nobody-of-this-name/x'}, ['camera: ~nobody', 'set HOME']),
        ({'bundle': '/nowhere'}, ['bundle: /nowhere/bundle.json does not exist']),
        ({'bundle': str(ROOT / 'models')}, ['models/bundle.json does not exist']),
        ({'params_file': '/nowhere.yaml'}, ['params_file: /nowhere.yaml does not exist']),
        ({'params_file': ''}, ['params_file', 'cannot be read']),
        ({'params_file': str(ROOT)}, ['cannot be read', 'Is a directory']),
        ({'params_file': str(ROOT / 'docs/room.png')}, ['cannot be read']),
        ({'params_file': str(ROOT / 'config/probes.yaml')}, ['has no parameters', 'ros__param']),
        ({'params_file': str(ROOT / 'LICENSE')}, ['params_file']),
        ({'respawn_delay': 'soon'}, ["respawn_delay is 'soon'"]),
    ],
)
def test_what_cannot_be_used_is_named_with_what_can(arguments, words):
    text = refusal(**arguments)
    assert [word for word in words if word not in text] == []
    assert '\n' not in text


@pytest.mark.parametrize('name', ['autostart', 'composition', 'respawn', 'use_sim_time'])
def test_a_switch_is_true_or_false(name):
    assert f"{name} is 'True'; give one of: " in refusal(**{name: 'True'})
    assert one_of(name).endswith('true, false')


def test_every_choice_lists_what_it_may_be():
    assert one_of('log_level') == 'one of: debug, info, warn, error, fatal'
    assert one_of('use_sim_time') == "one of: '' (empty), true, false"
    assert "log_level is 'loud'" in refusal(log_level='loud')
    with pytest.raises(LaunchArgumentError, match="sim is 'maybe'; give one of: true, false"):
        plan_nodes({**DEFAULTS, 'sim': 'maybe'}, {})
    assert CHOICES.keys() & DEFAULTS.keys() == CHOICES.keys() - {'sim'}


def test_home_is_expanded_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'model').symlink_to(NANO)
    (tmp_path / 'my.yaml').write_text('vlm_node: {ros__parameters: {captions: false}}')
    (tmp_path / 'clip.mp4').touch()
    result = planned(camera='~/clip.mp4', bundle='~/model/', params_file='~/my.yaml')
    assert result.params_file == str(tmp_path / 'my.yaml')
    assert result.parameters['camera_node'] == {'path': str(tmp_path / 'clip.mp4')}
    assert result.parameters['vlm_node']['bundle'] == str(tmp_path / 'model')


@pytest.mark.parametrize(
    ('text', 'given'),
    [('', {}), ('true', {'use_sim_time': True}), ('false', {'use_sim_time': False})],
)
def test_all_nodes_take_the_time_from_the_same_clock(text, given):
    result = planned(use_sim_time=text, camera='sim')
    assert result.parameters['sim_node'] == {'seed': 3, **given}
    assert result.parameters['vlm_node'] == {'autostart': True, **given}
    patrol = plan_nodes({**DEFAULTS, 'use_sim_time': text}, {'patrol_node': {}})
    assert patrol.parameters == {'patrol_node': given}


@pytest.mark.parametrize(
    'text',
    [
        '/**: {ros__parameters: {captions: false}}',
        '/**/vlm_node: {ros__parameters: {captions: false}}',
        '{robot: {front: {vlm_node: {ros__parameters: {captions: false}}}}}',
        '{other: {ros__parameters: {a: 1}}, /robot/vlm_node: {ros__parameters: {a: 1}}}',
    ],
)
def test_parameters_may_lie_in_namespaces(tmp_path, text):
    file = tmp_path / 'my.yaml'
    file.write_text(text)
    assert planned(params_file=str(file)).params_file == str(file)


@pytest.mark.parametrize('name', ['vlm_nod', '/vlm_node/camera', '/**/vlm_node_1'])
def test_a_parameters_file_of_other_nodes_is_refused(tmp_path, name):
    file = tmp_path / 'my.yaml'
    file.write_text(f'{name}: {{ros__parameters: {{captions: false}}}}')
    with pytest.raises(LaunchArgumentError, match=f'of {name.rpartition("/")[2]}, but of none'):
        planned(params_file=str(file))


@pytest.mark.parametrize('values', ['[1, 2]', 'null', 'captions', '5'])
def test_parameters_that_are_no_mapping_are_refused(tmp_path, values):
    file = tmp_path / 'my.yaml'
    file.write_text(f'vlm_node: {{ros__parameters: {values}}}')
    with pytest.raises(LaunchArgumentError, match='has no parameters; give a YAML file such as'):
        planned(params_file=str(file))


def test_a_shared_file_is_there_as_long_as_its_process():
    name = shared_file('{a: 1}')
    assert Path(name).is_file()
    for _ in range(2):  # a process that is started again reads it again
        assert subprocess.check_output(['cat', name]) == b'{a: 1}'
    program = 'from mobilevlm_ros.nodes.launching import shared_file; print(shared_file("{}"))'
    left = subprocess.check_output([sys.executable, '-c', program], text=True)
    assert not Path(left.strip()).exists()


def test_numbers_of_the_demo_are_checked():
    check_numbers({'seed': '3', 'seconds': '2.5', 'questions': '4'})
    with pytest.raises(LaunchArgumentError, match=r"questions is '2\.5'"):
        check_numbers({'questions': '2.5'})


@pytest.mark.parametrize('text', ['-1', 'soon', 'nan', 'inf'])
def test_a_delay_is_a_number_of_seconds(text):
    assert read_number('respawn_delay', '0.5', float) == 0.5
    with pytest.raises(LaunchArgumentError, match='respawn_delay'):
        read_number('respawn_delay', text, float)


LAUNCHED = ROOT / 'launch/vlm.launch.py'
BY_PACKAGE = ['/opt/ros/jazzy/bin/ros2', 'launch', 'mobilevlm_ros', 'vlm.launch.py']


@pytest.mark.parametrize('named', [BY_PACKAGE, ['ros2', 'launch', '-d', str(LAUNCHED)]])
def test_a_misspelt_argument_is_refused_with_the_one_that_is_most_alike(named):
    known = ['camera', 'cameras', 'seed']
    with pytest.raises(LaunchArgumentError, match=r'no argument camra; did you mean camera\?'):
        check_names([*named, 'seed:=1', 'camra:=sim'], LAUNCHED, known)
    check_names([*named, 'camera:=a:=b', 'launch-prefix:=nice'], LAUNCHED, known)


@pytest.mark.parametrize(
    'command',
    [
        ['ros2', 'launch', 'my_robot', 'vlm.launch.py', 'camra:=sim'],
        ['ros2', 'launch', 'my_robot', 'robot.launch.py', 'camra:=sim'],
        ['ros2', 'launch', '/robot/robot.launch.py', 'camra:=' + 'x' * 5000],
        ['python3', 'robot.py'],
        [],
    ],
)
def test_arguments_of_a_launch_file_that_includes_ours_are_its_own(command):
    check_names(command, LAUNCHED, ['camera'])
