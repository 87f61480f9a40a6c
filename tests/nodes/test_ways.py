"""What scenes say of the ways ahead."""

import pytest
from builtin_interfaces.msg import Time

from mobilevlm_ros.msg import Finding, Scene
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.nodes.ways import scene_to_sight, ways_to_scene

HERE = Pose(1.0, 2.0, 0.5)


def finding(name, probabilities, **fields):
    return Finding(
        name=name,
        choices=list(probabilities),
        probabilities=list(probabilities.values()),
        **fields,
    )


def test_probabilities_of_both_sides_add_to_each_side():
    way = {'ahead': 0.1, 'left': 0.2, 'right': 0.3, 'both': 0.4, 'none': 0.0}
    scene = Scene(
        findings=[finding('path_clear', {'yes': 0.75, 'no': 0.25}), finding('free_way', way)]
    )
    scene.header.stamp = Time(sec=3, nanosec=500_000_000)
    sight = scene_to_sight(scene, HERE, 3.5)
    assert (sight.taken_s, sight.pose, sight.clear) == (3.5, HERE, 0.75)
    assert (sight.left, sight.right) == (pytest.approx(0.6), pytest.approx(0.7))


@pytest.mark.parametrize(
    'findings',
    [
        [],
        [finding('path_clear', {'yes': 0.9, 'no': 0.1}, abstained=True)],
        [finding('path_clear', {'clear': 0.9, 'blocked': 0.1})],  # of other choices
        [Finding(name='path_clear', value='yes')],  # in words
    ],
)
def test_a_probe_that_says_nothing_usable_is_not_clear(findings):
    sight = scene_to_sight(Scene(findings=findings), HERE, 3.5)
    assert (sight.clear, sight.left, sight.right) == (None, None, None)


@pytest.mark.parametrize(
    ('ahead', 'left', 'right', 'value'),
    [
        (True, False, True, 'ahead'),
        (False, True, True, 'both'),
        (False, True, False, 'left'),
        (False, False, True, 'right'),
        (False, False, False, 'none'),
    ],
)
def test_the_truth_is_said_in_the_words_of_the_probes(ahead, left, right, value):
    scene = ways_to_scene({'ahead': ahead, 'left': left, 'right': right}, Time(sec=7), 'lens')
    clear, way = scene.findings
    assert (clear.value, way.value) == ('yes' if ahead else 'no', value)
    assert (scene.header.stamp.sec, scene.header.frame_id) == (7, 'lens')
    sight = scene_to_sight(scene, HERE, 3.5)
    assert sight.clear == float(ahead)
