"""The demo's parts, and the demo itself on a fake model."""

import hashlib
import itertools
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobilevlm_ros.demo.driver import Driver
from mobilevlm_ros.demo.quiz import Quiz, Result
from mobilevlm_ros.demo.report import Report
from mobilevlm_ros.nodes.processes import isolate
from mobilevlm_ros.nodes.share import profile_variable
from mobilevlm_ros.sim.questions import QA, QUESTION_KINDS
from mobilevlm_ros.sim.robot import drive
from mobilevlm_ros.sim.start import start_pose
from mobilevlm_ros.sim.world import random_world
from tests.patience import PATIENCE_S, until

DEMO = [sys.executable, '-m', 'mobilevlm_ros.demo.main']


def poses(seed, steps):
    """Where the driver takes the robot, ten times a second; fails at a collision."""
    world = random_world(seed)
    pose, driver = start_pose(world, seed), Driver(world)
    for _ in range(steps):
        pose, hit = drive(world, pose, *driver.steer(pose), 0.1)
        assert not hit
        yield pose


@pytest.mark.parametrize('seed', range(20))
def test_the_driver_gets_about_and_touches_nothing(seed):
    way = list(poses(seed, 300))
    pairs = itertools.pairwise(way)
    assert sum(np.hypot(b.x - a.x, b.y - a.y) for a, b in pairs) > 4  # metres


def test_questions_of_every_kind_have_their_truth_at_the_pose_they_were_asked_at():
    quiz = Quiz(random_world(3), 3)
    asked = set()
    for pose in list(poses(3, 300))[::10]:
        qa = quiz.next_question(pose)
        if qa:
            assert quiz.truth(qa, pose) == qa.answer
            asked.add(qa.kind)
    assert asked == set(QUESTION_KINDS)


def test_a_question_that_the_view_does_not_settle_has_no_truth():
    qa = QA('colour_of', 'What colour is the elephant?', 'grey', lambda _: None)
    assert Quiz(random_world(3), 3).truth(qa, next(poses(3, 1))) == ''


def result(answer='a red box', truth='a red box'):
    return Result('what_is', 'What is ahead?', answer, truth, 12.0)


def test_the_report_counts_what_has_a_truth(tmp_path, capsys):
    report = Report(tmp_path)
    report.begin()
    for row in (result(), result('A red box.'), result('a cone'), result(truth='')):
        report.add(row, np.zeros((320, 320, 3), np.uint8))
    assert not report.finish(questions=3, share=0.8)
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == 'demo: 2/3 answers match the simulator'
    assert 'fewer than 80%' in output
    sheet = cv2.imread(str(tmp_path / 'demo.png'))
    assert sheet.shape[1] > 5 * 320
    assert report.finish(questions=3, share=0.6)
    assert not report.finish(questions=4, share=0.6)


def test_a_report_without_a_question_is_a_failure(tmp_path):
    assert not Report(tmp_path).finish(questions=1, share=0.0)


def test_isolation_keeps_what_is_set():
    environ = {'ROS_DOMAIN_ID': '7', 'ROS_DISTRO': 'kilted'}
    isolate(environ)
    assert environ['ROS_DOMAIN_ID'] == '7'
    assert environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert Path(environ['FASTDDS_DEFAULT_PROFILES_FILE']).is_file()
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' not in environ  # else Fast DDS 3 loads it twice
    assert 'ROS_LOCALHOST_ONLY' not in environ
    mine = {'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml', 'ROS_DISTRO': 'kilted'}
    isolate(mine)
    assert 'FASTDDS_DEFAULT_PROFILES_FILE' not in mine
    old = {'ROS_DISTRO': 'humble'}
    isolate(old)
    assert old['ROS_LOCALHOST_ONLY'] == '1'


@pytest.mark.parametrize(
    ('distro', 'variable'),
    [('jazzy', 'FASTRTPS'), ('', 'FASTRTPS'), ('kilted', 'FASTDDS'), ('lyrical', 'FASTDDS')],
)
def test_the_profile_is_named_as_the_distribution_reads_it(distro, variable):
    assert profile_variable(distro) == f'{variable}_DEFAULT_PROFILES_FILE'


def processes_of(folder):
    """Command lines that name the folder."""
    found = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_bytes().decode(errors='replace')
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


@pytest.mark.ros
def test_the_whole_demo_runs_on_a_fake_model(ros_domain, tmp_path):
    options = ['--seconds', '5', '--questions', '4', '--pass-share', '0', '--out', str(tmp_path)]
    done = subprocess.run(
        [*DEMO, '--fake', *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith('demo: 0/')  # the fake knows nothing
    assert lines[-1].endswith('answers match the simulator')
    assert any(line.startswith('caption ') for line in lines)
    assert (tmp_path / 'demo.png').stat().st_size > 10_000


@pytest.mark.ros
def test_attached_it_asks_nodes_that_run_already_in_its_namespace(start, tmp_path):
    there = ['--ros-args', '-r', '__ns:=/demo']
    start('sim_node', *there, seed=5)
    start('vlm_node', *there, encoder='fake', llm='fake')
    options = ['--seed', '5', '--seconds', '3', '--questions', '1', '--pass-share', '0']
    done = subprocess.run(
        [*DEMO, '--attach', *options, '--out', str(tmp_path), *there],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith('demo: 0/')


@pytest.fixture
def broken_bundle(root, tmp_path):
    """nano with a language model that is none, though its checksum is right."""
    folder = shutil.copytree(root / 'models' / 'nano', tmp_path / 'broken')
    (folder / 'llm.gguf').write_bytes(b'none')
    description = json.loads((folder / 'bundle.json').read_text())
    checksum = hashlib.sha256(b'none').hexdigest()
    description['files']['llm.gguf'] = {'sha256': checksum, 'bytes': 4}
    (folder / 'bundle.json').write_text(json.dumps(description))
    return folder


@pytest.mark.ros
def test_a_node_that_dies_ends_the_demo_with_its_reason(ros_domain, tmp_path, broken_bundle):
    command = [*DEMO, '--bundle', str(broken_bundle), '--out', str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'vlm_node ended with exit code 2' in done.stderr and str(broken_bundle) in done.stderr


@pytest.mark.ros
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(ros_domain, tmp_path, broken_bundle, number):
    demo = subprocess.Popen(
        [*DEMO, '--fake', '--bundle', str(broken_bundle), '--out', str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until(lambda: any('nodes.vlm_node' in words for words in processes_of(tmp_path)))
    demo.send_signal(number)
    assert demo.communicate(timeout=PATIENCE_S) == (None, b'')
    assert demo.returncode == 128 + number
    assert processes_of(tmp_path) == []
