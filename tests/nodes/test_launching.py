"""What the arguments of vlm.launch.py are made into."""

import pytest
import yaml

from mobilevlm_ros.nodes.launching import LaunchArgumentError, plan, read_number

DEFAULTS = {
    'image': 'image', 'cameras': '', 'camera': '', 'seed': '3', 'bundle': '', 'remaps': '',
    'autostart': 'true', 'respawn': 'false',
}  # fmt: skip


def planned(**arguments):
    return plan({**DEFAULTS, **arguments})


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


def test_the_node_that_publishes_images_is_started_before_and_in_one_process_if_asked():
    result = planned(camera='~/clip.mp4', bundle='/models/x')
    assert dict(result.parameters) == {
        'camera_node': {'path': '~/clip.mp4'},
        'vlm_node': {'autostart': True, 'bundle': '/models/x'},
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
    text = planned(bundle='123', autostart='false').parameters_file(namespace)
    assert yaml.safe_load(text) == {
        name: {'ros__parameters': {'autostart': False, 'bundle': '123'}}
    }


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
        ({'image': '/camera//image'}, ["'/camera//image'", 'image:=/camera/image_raw']),
        ({'remaps': 'odom'}, ["'odom'", 'from=to']),
        ({'respawn': 'true', 'autostart': 'false'}, ['needs autostart:=true']),
    ],
)
def test_what_will_not_do_is_named_with_what_would(arguments, words):
    with pytest.raises(LaunchArgumentError) as caught:
        planned(**arguments)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize('text', ['-1', 'soon', 'nan', 'inf'])
def test_a_delay_is_a_number_of_seconds(text):
    assert read_number('respawn_delay', '0.5', float) == 0.5
    with pytest.raises(LaunchArgumentError, match='respawn_delay'):
        read_number('respawn_delay', text, float)
