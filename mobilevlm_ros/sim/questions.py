"""Questions about a frame, in varied wording, with the one true answer.

The wording and the mix below are what models/nano is trained and measured on. Whoever changes
them raises QUESTIONS_VERSION, since figures of different versions cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mobilevlm_ros.sim.things import COLOURS, KINDS
from mobilevlm_ros.sim.truth import NEARER_RATIO, Observation, Reading, Seen

QUESTIONS_VERSION = 1
SIDES = ('left', 'ahead', 'right')
PLACES = {'left': 'on the left', 'ahead': 'ahead', 'right': 'on the right'}


# The true answer to one question in any observation; None where that does not settle it.
Judge = Callable[[Observation], str | None]


@dataclass(frozen=True)
class QA:
    """A question of some kind, its true answer, and what the truth would be elsewhere."""

    kind: str
    question: str
    answer: str
    judge: Judge = field(compare=False, repr=False)


Made = tuple[str, Judge] | None
Maker = Callable[[Observation, np.random.Generator], Made]


def ask(observation: Observation, kind: str, rng: np.random.Generator) -> QA | None:
    """A random question of this kind; None where the frame gives rise to none."""
    made = QUESTION_KINDS[kind](observation, rng)
    if made is None:
        return None
    question, judge = made
    answer = judge(observation)
    return QA(kind, question, answer, judge) if answer else None


def ask_all(observation: Observation, rng: np.random.Generator, tries: int = 1) -> list[QA]:
    """Different questions of every kind, with up to `tries` of each."""
    asked = [ask(observation, kind, rng) for kind in QUESTION_KINDS for _ in range(tries)]
    unique = {qa.question: qa for qa in asked if qa}
    return list(unique.values())


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _agreed(answer: Callable[[Reading], str | None]) -> Judge:
    """The answer that all readings of a scene give, if there is one."""

    def judge(observation: Observation) -> str | None:
        answers = {answer(reading) for reading in observation.readings}
        return answers.pop() if len(answers) == 1 else None

    return judge


def a(phrase: str) -> str:
    """With its indefinite article."""
    return f'{"an" if phrase[0] in "aeiou" else "a"} {phrase}'


def nearest(reading: Reading, side: str) -> str | None:
    """Name of the nearest thing on a side; None where two are about equally near."""
    seen = sorted((s for s in reading if s.side == side), key=lambda s: s.distance)
    if not seen:
        return 'nothing'
    if len(seen) > 1 and seen[1].distance < max(seen[0].distance, 0.3) * NEARER_RATIO:
        return None
    return a(seen[0].thing.name)


def _what_is(observation: Observation, rng: np.random.Generator) -> Made:
    side = _pick(rng, SIDES)
    place = {
        'left': ('on the left', 'to your left', 'on your left'),
        'ahead': ('ahead', 'in front of you', 'straight ahead'),
        'right': ('on the right', 'to your right', 'on your right'),
    }[side]
    wording = ('What is {}?', 'What do you see {}?', 'What is the nearest thing {}?')
    question = _pick(rng, wording).format(_pick(rng, place))
    return question, _agreed(lambda reading: nearest(reading, side))


def _colour_of(observation: Observation, rng: np.random.Generator) -> Made:
    kinds = sorted({s.thing.kind for s in observation.sightings})
    if not kinds:
        return None
    kind = kinds[int(rng.integers(len(kinds)))]

    def answer(reading: Reading) -> str | None:
        colours = [s.thing.colour for s in reading if s.thing.kind == kind]
        return colours[0] if len(colours) == 1 else None

    wording = (
        'What colour is the {}?',
        'What color is the {}?',
        'Which colour has the {}?',
        'Tell me the colour of the {}.',
    )
    return _pick(rng, wording).format(kind), _agreed(answer)


def _matches(seen: Seen, colour: str, kind: str) -> bool:
    return colour in ('', seen.thing.colour) and kind in ('', seen.thing.kind)


def _description(observation: Observation, rng: np.random.Generator, hit: bool) -> tuple[str, str]:
    """A colour and a kind, either perhaps empty, taken from a thing in view if `hit`."""
    sightings = observation.sightings
    if hit and sightings:
        thing = sightings[int(rng.integers(len(sightings)))].thing
        colour, kind = thing.colour, thing.kind
    else:
        colour, kind = _pick(rng, tuple(COLOURS)), _pick(rng, tuple(KINDS))
        if sightings and rng.random() < 0.4:  # half right is the hardest wrong
            thing = sightings[int(rng.integers(len(sightings)))].thing
            colour, kind = (thing.colour, kind) if rng.random() < 0.5 else (colour, thing.kind)
    form = rng.random()
    return ('', kind) if form < 0.35 else (colour, '') if form < 0.55 else (colour, kind)


def _how_many(observation: Observation, rng: np.random.Generator) -> Made:
    colour, kind = _description(observation, rng, rng.random() < 0.75)
    if rng.random() < 0.25:
        colour = kind = ''
    elif rng.random() < 0.5:
        colour = '' if kind else colour
    plural = f'{colour} {KINDS[kind].plural if kind else "things"}'.strip()
    wording = ('How many {} are there?', 'How many {} do you see?', 'Count the {}.')

    def answer(reading: Reading) -> str:
        return str(sum(_matches(s, colour, kind) for s in reading))

    return _pick(rng, wording).format(plural), _agreed(answer)


def _presence(colour: str, kind: str, reading: Reading) -> str:
    return 'yes' if any(_matches(s, colour, kind) for s in reading) else 'no'


def _is_there(observation: Observation, rng: np.random.Generator) -> Made:
    wanted = _pick(rng, ('yes', 'no'))
    for _ in range(4):
        colour, kind = _description(observation, rng, wanted == 'yes')
        judge = _agreed(partial(_presence, colour, kind))
        if judge(observation) == wanted:
            phrase = a(f'{colour} {kind or "thing"}'.strip())
            wording = ('Is there {}?', 'Do you see {}?', 'Can you see {}?')
            return _pick(rng, wording).format(phrase), judge
    return None


def _nearer(observation: Observation, rng: np.random.Generator) -> Made:
    sightings = observation.sightings
    if len(sightings) < 2:
        return None
    first, second = (sightings[i] for i in rng.permutation(len(sightings))[:2])
    names = first.thing.name, second.thing.name

    def answer(reading: Reading) -> str | None:
        pair = [[s.distance for s in reading if s.thing.name == name] for name in names]
        if not len(pair[0]) == len(pair[1]) == 1 or names[0] == names[1]:
            return None
        near, far = sorted((max(pair[0][0], 0.3), max(pair[1][0], 0.3)))
        closer = names[0] if pair[0] < pair[1] else names[1]
        return f'the {closer}' if far > near * NEARER_RATIO else None

    wording = (
        'Which is nearer, the {} or the {}?',
        'Which is closer, the {} or the {}?',
        'Is the {} or the {} nearer?',
    )
    return _pick(rng, wording).format(*names), _agreed(answer)


def _path_clear(observation: Observation, rng: np.random.Generator) -> Made:
    wording = ('Is the path ahead clear?', 'Is the way ahead clear?', 'Can you drive straight on?')
    answers = {True: 'yes', False: 'no', None: None}
    return _pick(rng, wording), lambda seen: answers[seen.path_clear]


def _free_way(observation: Observation, rng: np.random.Generator) -> Made:
    wording = ('Which way is free?', 'Which way can you go?', 'Where can you drive?')
    return _pick(rng, wording), lambda seen: seen.free_way


def _describe(observation: Observation, rng: np.random.Generator) -> Made:
    wording = ('Describe the scene.', 'What do you see?', 'Describe what you see.')
    return _pick(rng, wording), _agreed(describe)


def describe(reading: Reading) -> str:
    """The things in view from left to right, each with its place."""
    clauses = (
        f'{a(s.thing.name)} {"near" if s.near else "far"} {PLACES[s.side]}'
        for s in sorted(reading, key=lambda s: s.u)
    )
    return ', '.join(clauses) or 'nothing'


QUESTION_KINDS: dict[str, Maker] = {
    'what_is': _what_is,
    'colour_of': _colour_of,
    'how_many': _how_many,
    'is_there': _is_there,
    'nearer': _nearer,
    'path_clear': _path_clear,
    'free_way': _free_way,
    'describe': _describe,
}
