"""patrol_node as a process, fed by hand and by the simulator."""

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from std_msgs.msg import String, UInt32

from mobilevlm_ros.msg import Scene
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.arrivals import RECEIVED, SENT
from mobilevlm_ros.nodes.odometry import pose_to_odometry
from mobilevlm_ros.nodes.patrol_node import age_s
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

    def tick(self, free=None, pose=START, age_ms=0.0, camera=''):
        stamp = self._client.node.get_clock().now().to_msg()
        self._odometry.publish(pose_to_odometry(pose, (0.0, 0.0), stamp, 'odom', 'base_link'))
        self._client.spin(0.02)
        if free:
            scene = ways_to_scene(free, stamp, 'lens')
            scene.timing.final_age_ms = age_ms
            scene.camera = camera
            self._scenes.publish(scene)
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


def test_it_stands_if_the_images_are_old_although_their_stamps_are_new(start, client, feed):
    start('patrol_node', waypoints='[9.0,0.0]', stop_after=0.5)
    twists = client.listen(Twist, 'cmd_vel')

    def after(age_ms, wanted):
        def reached():
            feed.tick(CLEAR, age_ms=age_ms)
            return twists and wanted(twists[-1].linear.x)

        client.wait(reached)

    after(0.0, lambda forward: forward > 0)
    after(600.0, lambda forward: forward == 0)


def test_it_stands_where_nobody_says_which_of_several_cameras_looks_ahead(
    start, client, feed, processes
):
    start('patrol_node', waypoints='[9.0,0.0]', stop_after=0.5)
    twists = client.listen(Twist, 'cmd_vel')

    def driving(camera):
        feed.tick(CLEAR, camera=camera)
        return twists and twists[-1].linear.x > 0

    client.wait(lambda: driving('front'))
    client.wait(lambda: not driving('rear'))
    client.wait(lambda: not driving('front'))
    assert 'there are scenes of front, rear, and none is used' in processes.log.read_text()


def test_it_drives_by_the_camera_that_looks_ahead_alone(start, client, feed):
    start('patrol_node', waypoints='[9.0,0.0]', stop_after=0.5, camera='front')
    twists = client.listen(Twist, 'cmd_vel')

    def driving(front, rear):
        feed.tick(rear, camera='rear')
        feed.tick(front, camera='front')
        return twists and twists[-1].linear.x > 0

    client.wait(lambda: driving(CLEAR, BLOCKED))
    client.wait(lambda: not driving(BLOCKED, CLEAR))


def test_the_age_of_a_scene_is_the_larger_of_what_its_stamp_and_vlm_node_say():
    scene = ways_to_scene(CLEAR, Time(sec=100), 'lens')
    assert age_s(scene, {}, 100_300_000_000, 0) == pytest.approx(0.3)
    scene.timing.final_age_ms = 700.0
    assert age_s(scene, {}, 100_300_000_000, 0) == pytest.approx(0.7)
    assert age_s(scene, {}, 90_000_000_000, 0) == pytest.approx(0.7)  # stamped ahead of our clock
    scene.timing.final_age_ms = 0.0
    assert age_s(scene, {}, 90_000_000_000, 0) == 0.0


def test_a_scene_grows_older_on_its_way_as_the_clocks_tell_that_can_be_right():
    scene = ways_to_scene(CLEAR, Time(sec=100), 'lens')
    scene.timing.final_age_ms = 300.0
    info = {RECEIVED: 999_900_000_000, SENT: 995_000_000_000}  # 0.1 s and 5 s ago
    ahead, right = 99_000_000_000, 100_200_000_000
    assert age_s(scene, info, ahead, 1_000_000_000_000) == pytest.approx(5.3)
    assert age_s(scene, info, right, 1_000_000_000_000) == pytest.approx(0.4)


def test_scenes_whose_stamps_fit_no_odometry_are_named(start, client, feed, processes):
    start('patrol_node', waypoints='[9.0,0.0]')
    scenes = client.node.create_publisher(Scene, 'scene', 1)

    def named():
        feed.tick()
        scenes.publish(ways_to_scene(CLEAR, Time(), 'lens'))
        client.spin(0.1)
        return 'no odometry from within 0.2 s of the stamp' in processes.log.read_text()

    client.wait(named)


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
