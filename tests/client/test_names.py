"""Names of nodes, as a user may write them."""

import pytest

from mobilevlm_ros.client import BadValueError
from mobilevlm_ros.client.names import full_name


@pytest.mark.parametrize(
    ('node_name', 'namespace', 'name'),
    [
        ('vlm_node', '', '/vlm_node'),
        ('vlm_node', '/', '/vlm_node'),
        ('vlm_node', 'robot', '/robot/vlm_node'),
        ('vlm_node', '/fleet/robot/', '/fleet/robot/vlm_node'),
        ('/vlm_node', '', '/vlm_node'),
        ('/robot/vlm_node', '', '/robot/vlm_node'),
    ],
)
def test_a_name_has_its_namespace(node_name, namespace, name):
    assert full_name(node_name, namespace) == name


@pytest.mark.parametrize(
    'node_name',
    ['', ' ', 'vlm node', 'robot/vlm_node', 'vlm_node/', '7', '~', 'größe', '/', 'x' * 300],
)
def test_a_name_that_ros_does_not_allow_is_refused(node_name):
    with pytest.raises(BadValueError, match=r'[Ii]nvalid'):
        full_name(node_name, '')


@pytest.mark.parametrize('namespace', ['ro bot', 'a//b', '7up', '~robot', 'größe', 'x' * 300])
def test_a_namespace_that_ros_does_not_allow_is_refused(namespace):
    with pytest.raises(BadValueError, match=r'[Ii]nvalid'):
        full_name('vlm_node', namespace)


@pytest.mark.parametrize('bad', [None, 7, b'vlm_node', ['vlm_node'], '\0', '\udc80'])
def test_a_name_that_is_no_text_is_named(bad):
    with pytest.raises(BadValueError, match='node_name'):
        full_name(bad, '')
    with pytest.raises(BadValueError, match='namespace'):
        full_name('vlm_node', bad)


def test_a_namespace_is_given_once():
    with pytest.raises(BadValueError, match='give no namespace'):
        full_name('/robot/vlm_node', 'robot')
