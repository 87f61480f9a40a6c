"""Standing questions, from YAML or JSON, and the scene that their answers are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mobilevlm_ros.engine import PROBE, Answer, ConfigError, Question, QuestionError, user_path
from mobilevlm_ros.msg import Finding, Scene
from mobilevlm_ros.nodes.conversions import ns_to_stamp, timing_to_message

NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
KEYS = ('question', 'choices', 'min_probability')
MOST_PROBES, MOST_BYTES = 32, 1 << 16


@dataclass(frozen=True, slots=True)
class Probe:
    """One standing question."""

    name: str
    question: Question


def read_probes(text: str, file: str, folder: Path) -> tuple[Probe, ...]:
    """The probes of the parameters `probes` and `probes_file`.

    Args:
        text: YAML or JSON; empty: none.
        file: of the same form; a relative path is one of `folder`; empty: none.
        folder: of the package's own files.

    Raises:
        ConfigError: naming the probe and what is wrong with it.
    """
    if text and file:
        raise ConfigError('give probes or probes_file, not both')
    if not file:
        return parse_probes(text)
    path = folder / user_path(file)
    try:
        with path.open(encoding='utf-8') as stream:
            return parse_probes(stream.read(MOST_BYTES + 1))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'probes_file {path} cannot be read: {error}') from error
    except ConfigError as error:
        raise ConfigError(f'probes_file {path}: {error}') from error


def parse_probes(text: str) -> tuple[Probe, ...]:
    """`name: {question: ..., choices: [...], min_probability: ...}` for each probe.

    Every scalar is text: YAML's own reading would make true and false of yes and no.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f'the probes take more than {MOST_BYTES} characters')
    try:
        found = yaml.load(text, yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        what = ' '.join(str(error).split())
        raise ConfigError(f'the probes are not YAML: {what}') from error
    if not found:
        return ()
    if not isinstance(found, dict) or len(found) > MOST_PROBES:
        raise ConfigError(f'probes should be up to {MOST_PROBES} names, each with its question')
    return tuple(_probe(name, entry) for name, entry in found.items())


def make_scene(probes: Sequence[Probe], answers: Sequence[Answer | None]) -> Scene:
    """The scene of one frame; a probe without an answer abstains."""
    scene = Scene(findings=[_finding(*pair) for pair in zip(probes, answers, strict=True)])
    given = [answer for answer in answers if answer is not None]
    if given:
        slowest = max(given, key=lambda answer: answer.timing.total_ms)
        scene.header.stamp = ns_to_stamp(slowest.stamp_ns)
        scene.header.frame_id = slowest.frame_id
        scene.camera = slowest.camera
        scene.timing = timing_to_message(slowest.timing)
    return scene


def _probe(name: str, entry: Any) -> Probe:
    if not NAME.fullmatch(name):
        raise ConfigError(f'probe {name!r}: a name is letters, digits and _')
    if not isinstance(entry, dict) or not isinstance(entry.get('question'), str):
        raise ConfigError(f'probe {name}: it needs a question, in words')
    if unknown := entry.keys() - set(KEYS):
        raise ConfigError(f'probe {name}: no {", ".join(sorted(unknown))}; there is {KEYS}')
    choices = entry.get('choices') or []
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise ConfigError(f'probe {name}: choices should be a list of texts')
    try:
        question = Question(
            entry['question'],
            choices=tuple(choices),
            min_probability=float(entry.get('min_probability', 0)),
            priority=PROBE,
        )
    except (QuestionError, ValueError, TypeError) as error:
        raise ConfigError(f'probe {name}: {error}') from error
    return Probe(name, question)


def _finding(probe: Probe, answer: Answer | None) -> Finding:
    finding = Finding(
        name=probe.name,
        question=probe.question.text,
        choices=list(probe.question.choices),
        abstained=answer is None or answer.abstained,
    )
    if answer is not None:
        finding.value = '' if answer.abstained else answer.text
        finding.probabilities = list(answer.probabilities)
    return finding
