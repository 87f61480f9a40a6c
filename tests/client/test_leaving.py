"""Programs with a client end as any others do, closed or not, and clients leave nothing behind.

Nobody is there to answer in most of them, so that every call still waits when the program ends.
"""

import signal
import subprocess
import sys

import pytest

from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ros

BEGIN = """
import asyncio, gc, os, sys, threading, time
from mobilevlm_ros.client import VlmClient, VlmClientError
vlm = VlmClient(connect_s=300)
"""
ENDS = {
    'at once': '',
    'while a request waits': "waiting = vlm.submit('Well?')",
    'while the request of a forgotten client waits': "waiting = VlmClient().submit('Well?')",
    'when the last call of a forgotten client ends': """
VlmClient(connect_s=0.01).submit('Well?').exception()""",
    'with several clients': "others = [VlmClient() for _ in range(3)]; others[0].submit('Well?')",
    'with a stream that was never read': "pieces = vlm.stream('Well?')",
    'while a thread waits': """
threading.Thread(target=vlm.ask, args=['Well?'], daemon=True).start()
time.sleep(0.2)""",
    'while a thread reads a stream': """
threading.Thread(target=lambda: next(vlm.stream('Well?')), daemon=True).start()
time.sleep(0.2)""",
    'while a callback waits': """
quick = VlmClient(connect_s=0.01)
called = threading.Event()
quick.submit('Well?').add_done_callback(lambda _: (called.set(), time.sleep(300)))
called.wait()""",
    'after a task was cancelled': """
async def main():
    tasks = [asyncio.ensure_future(vlm.ask_async('Well?')) for _ in range(8)]
    await asyncio.sleep(0.2)
    tasks[0].cancel()
asyncio.run(main())""",
    'after streams were cancelled': """
async def read():
    async for piece in vlm.stream_async('Well?'):
        pass
async def main():
    tasks = [asyncio.ensure_future(read()) for _ in range(8)]
    await asyncio.sleep(0.2)
    tasks[0].cancel()
asyncio.run(main())""",
    'after rclpy was used before': """
import rclpy
rclpy.init()
node = rclpy.create_node('own')
later = VlmClient()
rclpy.spin_once(node, timeout_sec=0.1)""",
    'after rclpy was shut down': """
import rclpy
rclpy.init()
rclpy.shutdown()
waiting = vlm.submit('Well?')""",
    'as a process that was forked': """
waiting = vlm.submit('Well?')
child = os.fork()
if not child:
    try:
        vlm.ask('Well?')
    except VlmClientError as error:
        os._exit(7 if 'forked' in str(error) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7""",
}


def run(program):
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', BEGIN + program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize('program', ENDS.values(), ids=ENDS)
def test_a_program_may_end(ros_domain, program):
    ended = run(program)
    assert (ended.returncode, ended.stderr) == (0, '')


@pytest.mark.parametrize(
    ('program', 'code', 'said'),
    [("vlm.submit('Well?'); sys.exit(3)", 3, ''), ('1 / 0', 1, 'ZeroDivisionError')],
)
def test_a_program_that_ends_by_an_exception_says_no_more_than_that(
    ros_domain, program, code, said
):
    ended = run(program)
    assert ended.returncode == code
    assert ended.stderr.rpartition('\n\n')[2].strip().rpartition('\n')[2].startswith(said)
    assert 'terminate' not in ended.stderr


INTERRUPTED = {
    'asking': "vlm.ask('Well?')",
    'in a with statement': "with vlm: vlm.ask('Well?')",
    'reading a stream': "next(vlm.stream('Well?'))",
    # asyncio itself fails if it is interrupted while it makes its loop.
    'in a coroutine': """
async def ask():
    print(flush=True)
    await vlm.ask_async('Well?')
asyncio.run(ask())
""",
    'elsewhere': "waiting = vlm.submit('Well?'); time.sleep(300)",
    'beside rclpy': "import rclpy; rclpy.init(); print(flush=True); vlm.ask('Well?')",
}


@pytest.mark.parametrize('program', INTERRUPTED.values(), ids=INTERRUPTED)
def test_ctrl_c_ends_a_program(ros_domain, program):
    began = 'print(flush=True)\n' if 'print' not in program else ''
    process = subprocess.Popen(
        [sys.executable, '-c', BEGIN + began + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGINT  # 130 in a shell
    assert said.strip().endswith('KeyboardInterrupt')


FORGOTTEN = """
def ask(client):
    try:
        client.ask('Well?', deadline_s=0.01)
    except VlmClientError:
        pass
def read(client):
    try:
        next(client.stream('Well?', deadline_s=0.01))
    except VlmClientError:
        pass
def tasks_and_files():
    return len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd'))
def forget(use):
    client = VlmClient(connect_s=0.01)
    use(client)
    del client
    while any(thread.name == 'vlm_client' for thread in threading.enumerate()):
        time.sleep(0.02)  # a call that goes on holds the client
uses = [id, VlmClient.close, ask, read, lambda client: client.submit('Well?', deadline_s=0.01)]
vlm.close()
gc.disable()
forget(ask)
before = tasks_and_files()
for use in uses * 2:
    forget(use)
grown = [now - then for now, then in zip(tasks_and_files(), before)]
assert max(grown) < 10, grown  # each would leave eight threads, which may be about to end
"""


def test_clients_that_are_forgotten_leave_no_threads_and_files(ros_domain):
    ended = run(FORGOTTEN)
    assert (ended.returncode, ended.stderr) == (0, '')
