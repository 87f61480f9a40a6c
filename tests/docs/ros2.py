"""What the pages use of the `ros2` command, which is not on PyPI.

`topic echo` ends after one message, `topic pub` after some that somebody can have heard, and
`service call` with 1 if there was no answer.
"""

import sys
import time

import rclpy
import yaml
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from rclpy.qos import qos_profile_sensor_data

from tests.docs.messages import fill, interface
from tests.patience import PATIENCE_S


def pkg_prefix(*words):
    *share, package = words
    print((get_package_share_directory if share else get_package_prefix)(package))


def service_call(name, kind, values='{}'):
    node, kind = rclpy.create_node('caller'), interface(kind)
    request = fill(kind.Request(), yaml.safe_load(values))
    client = node.create_client(kind, name)
    assert client.wait_for_service(PATIENCE_S), f'nobody offers {name}'
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE_S)
    print(f'requester: making request: {request}\n\nresponse:\n{future.result()}')
    assert future.result().status.code == 0


def topic_echo(name):
    node, heard = rclpy.create_node('listener'), []
    kind = _wait(node, lambda: dict(node.get_topic_names_and_types()).get(name))
    node.create_subscription(interface(kind[0]), name, heard.append, qos_profile_sensor_data)
    _wait(node, lambda: heard)
    print(heard[0], '---', sep='\n')


def topic_pub(option, rate, name, kind, values):
    assert option == '-r'
    node = rclpy.create_node('publisher')
    publisher = node.create_publisher(interface(kind), name, 10)
    _wait(node, publisher.get_subscription_count)
    for _ in range(10):
        publisher.publish(fill(interface(kind)(), yaml.safe_load(values)))
        time.sleep(1 / float(rate))


def _wait(node, condition):
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < end, f'waited {PATIENCE_S} s in vain'
        rclpy.spin_once(node, timeout_sec=0.1)
    return value


VERBS = {
    ('pkg', 'prefix'): pkg_prefix,
    ('service', 'call'): service_call,
    ('topic', 'echo'): topic_echo,
    ('topic', 'pub'): topic_pub,
}


if __name__ == '__main__':
    rclpy.init()
    try:
        VERBS[tuple(sys.argv[1:3])](*sys.argv[3:])
    finally:
        rclpy.shutdown()
