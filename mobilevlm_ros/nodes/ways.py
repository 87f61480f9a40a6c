"""The two probes that patrolling needs, as messages: what vlm_node says, or the simulator."""

from __future__ import annotations

from collections.abc import Mapping

from builtin_interfaces.msg import Time

from mobilevlm_ros.msg import Finding, Scene
from mobilevlm_ros.navigation.pose import Pose
from mobilevlm_ros.navigation.sight import Sight

CLEAR, WAY = 'path_clear', 'free_way'  # names of the probes, as in config/probes.yaml
QUESTIONS = {CLEAR: 'Is the path ahead clear?', WAY: 'Which way is free?'}
CHOICES = {CLEAR: ('yes', 'no'), WAY: ('ahead', 'left', 'right', 'both', 'none')}


def scene_to_sight(scene: Scene, pose: Pose, taken_s: float) -> Sight:
    """What a scene says of the ways; probes that abstained say nothing.

    Args:
        scene: the message.
        pose: from which its image was taken.
        taken_s: when.
    """
    clear = _probabilities(scene, CLEAR)
    way = _probabilities(scene, WAY)
    return Sight(
        taken_s=taken_s,
        pose=pose,
        clear=clear.get('yes'),
        left=way['left'] + way['both'] if way else None,
        right=way['right'] + way['both'] if way else None,
    )


def ways_to_scene(free: Mapping[str, bool], stamp: Time, frame_id: str) -> Scene:
    """The scene that a model which is always right would publish; `free` by way."""
    both = {(True, True): 'both', (True, False): 'left', (False, True): 'right'}
    side = both.get((free['left'], free['right']), 'none')
    values = {CLEAR: 'yes' if free['ahead'] else 'no', WAY: 'ahead' if free['ahead'] else side}
    scene = Scene(findings=[_sure(name, value) for name, value in values.items()])
    scene.header.stamp = stamp
    scene.header.frame_id = frame_id
    return scene


def _sure(name: str, value: str) -> Finding:
    choices = CHOICES[name]
    return Finding(
        name=name,
        question=QUESTIONS[name],
        value=value,
        choices=list(choices),
        probabilities=[float(choice == value) for choice in choices],
    )


def _probabilities(scene: Scene, name: str) -> dict[str, float]:
    """By choice; empty if the probe is not there, abstained, or is of another kind."""
    for finding in scene.findings:
        if finding.name == name and not finding.abstained:
            found = dict(zip(finding.choices, finding.probabilities, strict=False))
            return found if set(CHOICES[name]) <= found.keys() else {}
    return {}
