"""Two robots side by side: the same nodes, each robot's in a namespace of its own."""

import pytest
from diagnostic_msgs.msg import DiagnosticArray

from mobilevlm_ros.msg import Status

pytestmark = pytest.mark.ros

AT_ONCE = 20  # questions to each robot
FAKE = {
    'encoder': 'fake', 'llm': 'fake', 'look': 'always', 'max_age_s': 0.0, 'queue_size': AT_ONCE,
}  # fmt: skip
SHARED = {'/diagnostics', '/parameter_events', '/rosout'}  # by convention of ROS


def into(namespace):
    return ['--ros-args', '-r', f'__ns:=/{namespace}']


@pytest.fixture
def robots(start, client_in):
    """A client of each robot, by namespace."""
    for namespace in ('a', 'b'):
        start('vlm_node', *into(namespace), **FAKE)
    return {namespace: client_in(namespace) for namespace in ('a', 'b')}


def test_each_answers_about_its_own_camera_only(robots):
    for i in range(5):
        for robot, grey in (('a', 10 + i), ('b', 200 + i)):
            robots[robot].show(grey, frame_id=robot)
        for robot, grey in (('a', 10 + i), ('b', 200 + i)):
            client, expected = robots[robot], f'Well? brightness {grey}'

            def of_this_round(client=client, robot=robot, expected=expected):
                answer = client.answer().answer
                assert answer.header.frame_id == robot
                return answer.text == expected

            client.wait(of_this_round)


def test_questions_to_both_at_once_get_their_own_answers(robots):
    greys = {'a': 10, 'b': 200}
    for robot, client in robots.items():
        client.show(greys[robot])
        client.answer()
    asked = [(robot, f'{robot}{i}?') for i in range(AT_ONCE) for robot in robots]
    futures = [robots[robot].send(question) for robot, question in asked]
    for (robot, question), future in zip(asked, futures, strict=True):
        robots[robot].wait(future.done)
        assert future.result().status.code == Status.OK
        assert future.result().answer.text == f'{question} brightness {greys[robot]}'


def test_a_robot_without_a_camera_does_not_answer_from_the_other_one(robots):
    robots['b'].show(200)
    assert robots['b'].answer().status.code == Status.OK
    assert robots['a'].ask().status.code == Status.NO_IMAGE


def test_diagnostics_tell_whose_they_are(robots):
    client = robots['a']
    heard = client.listen(DiagnosticArray, '/diagnostics')

    def names():
        return {(status.name, status.hardware_id) for array in heard for status in array.status}

    engines = {(f'{robot}/vlm_node: engine', f'{robot}/vlm_node') for robot in robots}
    client.wait(lambda: engines <= names())


def test_all_names_of_all_nodes_are_within_the_namespace(start, client_in):
    nodes = ['vlm_node', 'sim_node', 'patrol_node']
    start('together', *nodes, *into('a'), **FAKE)
    node = client_in('a').node
    client = client_in('a')
    client.wait(lambda: len({n for n, _ in node.get_node_names_and_namespaces()} & {*nodes}) == 3)
    client.connect()
    names = {name for name, _ in node.get_topic_names_and_types()}
    names |= {name for name, _ in node.get_service_names_and_types()}
    assert {'/a/image', '/a/cmd_vel', '/a/vlm_node/ask', '/a/vlm_node/scene'} <= names
    assert '/a/vlm_node/ask_stream/_action/send_goal' in names
    assert {name for name in names if not name.startswith('/a/')} <= SHARED
