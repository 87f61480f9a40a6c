"""What the tests of nodes share: node processes, and a client that talks to them over DDS."""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

from mobilevlm_ros.msg import Status
from mobilevlm_ros.nodes.conversions import ns_to_stamp, rgb_to_image
from mobilevlm_ros.nodes.qos import FRAMES_OUT
from mobilevlm_ros.srv import Ask
from tests.patience import PATIENCE_S

HERE = Path(__file__).parent
END_WITHIN_S = 30.0  # those that do not end by themselves are killed


class Segments:
    """Fast DDS's shared memory that a process has open, its own and that of others."""

    def __init__(self, process):
        files = (path.resolve() for path in Path(f'/proc/{process.pid}/fd').iterdir())
        self.locks = {path for path in files if path.match('/dev/shm/fast*_el')}

    def abandoned(self):
        """Locks that are still there though nobody holds them; ports, which all share, aside."""
        return {lock for lock in self.locks if '_port' not in lock.name and not _held(lock)}

    def free(self):
        for lock in self.abandoned():
            lock.unlink()
            lock.with_name(lock.name.removesuffix('_el')).unlink(missing_ok=True)


def _held(lock):
    """Whether somebody holds it, or it is gone."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):
        return True
    return False


class Processes:
    """Starts nodes as the console would, and ends them after the test."""

    def __init__(self, folder):
        self._folder = folder
        self._running = []

    def start(self, *command, **parameters):
        """`start('vlm_node', encoder='fake')`; a path starts that file instead.

        An image that a test shows once serves for as long as the test takes, unless `max_age_s`
        says otherwise; None leaves it to the node.
        """
        if 'vlm_node' in command[0]:
            parameters = {'max_age_s': 0.0, **parameters}
        parameters = {name: value for name, value in parameters.items() if value is not None}
        program = command[0] if command[0].endswith('.py') else '-m'
        module = [] if program != '-m' else [f'mobilevlm_ros.nodes.{command[0]}']
        arguments = [*module, *command[1:]]
        if parameters:
            arguments.append('--ros-args')
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        self.log = self._folder / f'{len(self._running)}.log'
        with self.log.open('wb') as log:
            process = subprocess.Popen(
                [sys.executable, program, *arguments], stdout=log, stderr=log, cwd=self._folder
            )
        self._running.append(process)
        return process

    def kill(self, process):
        """End a process as the kernel does when memory is short, and free what it shared."""
        segments = Segments(process)
        process.kill()
        process.wait()
        segments.free()

    def stop(self):
        """End all, the hard way if need be: that leaves 64 MB of shared memory behind each."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def processes(ros_domain, tmp_path):
    result = Processes(tmp_path)
    yield result
    result.stop()
    for log in sorted(tmp_path.glob('*.log')):
        print(f'--- {log.name}\n{log.read_text()}')


@pytest.fixture
def start(processes):
    return processes.start


@pytest.fixture
def start_fake(start):
    """Start a vlm_node without a model, to which no image is too old unless told otherwise."""
    return lambda **parameters: start(
        'vlm_node', **{'encoder': 'fake', 'llm': 'fake', **parameters}
    )


@pytest.fixture
def start_patient(start):
    """Start a node that takes all the time it needs to end in order after a signal."""
    return lambda *command, **parameters: start(
        str(HERE / 'patient_node.py'), *command, **parameters
    )


class Client:
    """A node of the test's own, spun only while something is waited for."""

    def __init__(self, node):
        self.node = node
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._publishers = {}
        self._shown = {}  # newest image of each topic
        self._new_service()

    def _new_service(self):
        self._ask = self.node.create_client(Ask, 'vlm_node/ask', qos_profile=QoSProfile(depth=200))
        self._connected = False

    def wait(self, condition):
        """Spin until the condition holds, and return its value."""
        end = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < end, f'waited {PATIENCE_S:g} s in vain'
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)

    def listen(self, kind, topic, qos=10):
        """A list that grows as messages arrive."""
        heard = []
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard

    def send(self, question='Well?', **fields):
        """Ask, and return the future."""
        self.connect()
        request = Ask.Request()
        request.query.question = question
        for name, value in fields.items():
            setattr(request.query, name, value)
        return self._ask.call_async(request)

    def connect(self):
        """Wait until responses come back: a service is found before its way back is open."""
        if self._connected:
            return
        self.wait(self._ask.service_is_ready)
        futures = []

        def responds():
            futures.append(self._ask.call_async(Ask.Request()))  # refused: an empty question
            self.spin(0.2)
            return any(future.done() for future in futures)

        self.wait(responds)
        self._connected = True

    def reconnect(self):
        """Connect anew: whatever else the node has by now is then connected as well."""
        self._new_service()
        self.connect()

    def settle(self):
        """Wait until vlm_node has received all that was sent to it before.

        An empty question, which is refused at once, takes the same way and comes behind it.
        """
        self.ask('')

    def call(self, kind, name, request):
        """Call another service of vlm_node, and wait for the response."""
        service = self.node.create_client(kind, f'vlm_node/{name}')
        self.reconnect()
        self.wait(service.service_is_ready)
        future = service.call_async(request)
        self.wait(future.done)
        return future.result()

    def ask(self, question='Well?', **fields):
        """Ask, and wait for the response."""
        future = self.send(question, **fields)
        self.wait(future.done)
        return future.result()

    def show(self, grey, stamp_ns=None, frame_id='lens', topic='image'):
        """Publish a plain image; returns its stamp in nanoseconds."""
        if stamp_ns is None:
            stamp_ns = self.node.get_clock().now().nanoseconds
        message = rgb_to_image(
            np.full((16, 16, 3), grey, np.uint8), ns_to_stamp(stamp_ns), frame_id
        )
        self.publish(message, topic)
        return stamp_ns

    def publish(self, message, topic='image'):
        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(type(message), topic, FRAMES_OUT)
        self.wait(self._publishers[topic].get_subscription_count)
        self._publishers[topic].publish(message)
        self._shown[topic] = message

    def answer(self, **fields):
        """Ask until there is an image; a best-effort reader may miss the first ones."""
        def response():
            found = self.ask(**fields)
            if found.status.code != Status.NO_IMAGE:
                return found
            for topic, message in self._shown.items():
                self._publishers[topic].publish(message)
            return None

        return self.wait(response)

    def transition(self, label):
        """Ask vlm_node for a lifecycle transition; whether it succeeded."""
        number = getattr(Transition, f'TRANSITION_{label.upper()}')
        request = ChangeState.Request(transition=Transition(id=number))
        return self.call(ChangeState, 'change_state', request).success


@pytest.fixture
def start_slow(start, client, processes):
    """Start a vlm_node that is slow at a stage, and return once it is at it.

    Gives the process, and the future of a question that it works at (None: while loading).
    """
    def start_slow(stage, *options, **parameters):
        parameters = {'captions': 'false', **parameters}
        process = start(str(HERE / 'slow_vlm_node.py'), stage, *options, **parameters)
        futures = [None]

        def busy():
            if stage != 'loading' and (futures[-1] is None or futures[-1].done()):
                client.show(50)  # the last question was refused while there was no image
                futures.append(client.send('Slow?', max_tokens=300))
            client.spin(0.1)
            return stage in processes.log.read_text()

        client.wait(busy)
        return process, futures[-1]

    return start_slow


@pytest.fixture
def make_node(ros_domain):
    """Makes nodes of the test's own, gone from the domain before another test may take it."""
    rclpy.init()
    made = []

    def make(name, **options):
        made.append(rclpy.create_node(name, **options))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def client_in(make_node):
    """Makes a client in a namespace."""
    return lambda namespace: Client(make_node('tester', namespace=namespace))


@pytest.fixture
def client(client_in):
    return client_in('')
