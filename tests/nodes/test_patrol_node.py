"""patrol_node as a process, fed by hand and by the simulator."""

import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from std_msgs.msg import String, UInt32

from mobilevlm_ros.msg import Scene
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.odometry import pose_to_odometry
from mobilevlm_ros.nodes.ways import ways_to_scene

pytestmark = pytest.mark.ros

CLEAR = {'ahead': True, 'left': True, 'right': True}
START = Pose(0.0, 0.0, 0.0)
BLOCKED = {'ahead': False, 'left': True, 'right': False}


class Feed:
    """Odometry and scenes, as a robot would send them."""

    def __init__(self, client):
        self._client = client
        node = client.node
        self._odometry = node.create_publisher(Odometry, 'odom', 10)
        self._scenes = node.create_publisher(Scene, 'scene', 1)

    def tick(self, free=None, pose=START):
        stamp = self._client.node.get_clock().now().to_msg()
        self._odometry.publish(pose_to_odometry(pose, (0.0, 0.0), stamp, 'odom', 'base_link'))
        self._client.spin(0.02)
        if free:
            self._scenes.publish(ways_to_scene(free, stamp, 'lens'))
        self._client.spin(0.05)


@pytest.fixture
def feed(client):
    return Feed(client)


def last_command(twists):
    return (twists[-1].linear.x, twists[-1].angular.z) if twists else None


def test_it_drives_while_scenes_say_that_the_way_is_clear_and_stands_without(start, client, feed):
    start('patrol_node', waypoints='[9.0,0.0]', stop_after=0.5)
    twists = client.listen(Twist, 'cmd_vel')

    def after(free, wanted, x=0.0):
        def reached():
            feed.tick(free, Pose(x, 0.0, 0.0))
            return twists and wanted(*last_command(twists))

        client.wait(reached)

    after(CLEAR, lambda forward, turn: forward > 0.3)
    # Further on than the last clear look reached; the left is free.
    after(BLOCKED, lambda forward, turn: forward == 0 and turn > 0, x=3.0)
    after(None, lambda forward, turn: forward == turn == 0, x=3.0)


def test_told_to_end_it_stands(start, client, feed):
    process = start('patrol_node', waypoints='[9.0,0.0]')
    twists = client.listen(Twist, 'cmd_vel')

    def driving():
        feed.tick(CLEAR)
        return twists and twists[-1].linear.x > 0

    client.wait(driving)
    process.terminate()
    client.wait(lambda: process.poll() is not None)
    client.wait(lambda: last_command(twists) == (0.0, 0.0))


def test_waypoints_that_are_not_pairs_are_refused(start, client, processes):
    process = start('patrol_node', waypoints='[1.0,2.0,3.0]')
    client.wait(lambda: process.poll() is not None)
    assert process.returncode == 2
    assert 'waypoints has 3 numbers' in processes.log.read_text()


def test_by_the_truth_a_simulated_robot_reaches_a_waypoint_and_touches_nothing(start, client):
    start('sim_node', seed=12, scene='truth')
    log = ['--ros-args', '-r', 'scene:=sim_node/scene']
    start('patrol_node', *log, '-p', 'waypoints:=[4.18,5.25]')
    doings = client.listen(String, 'patrol_node/doing')
    contacts = client.listen(UInt32, 'sim_node/contacts')
    client.wait(lambda: contacts and doings and doings[-1].data.startswith('done reached=1'))
    assert contacts[-1].data == 0
