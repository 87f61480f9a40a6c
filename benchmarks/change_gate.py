"""Where the change gate's thresholds should be: what each lets through, on models/nano.

Pairs of views: the same one through a sensor with noise and flicker; two of a slow drive, 0.5 to
5 s apart, whose captions are the same or differ; one with and without a thing that is surely seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from simulated_views import Speaker, random_sensor, slow_drive, vanishing

from mobilevlm_ros.engine.captions import Captioner
from mobilevlm_ros.engine.change import (
    ChangeGate,
    GateSettings,
    luma_change,
    luma_thumbnail,
    token_change,
)
from mobilevlm_ros.engine.draft import DraftPlan
from mobilevlm_ros.engine.types import Floats, Pixels
from mobilevlm_ros.sim.camera import render

PERIOD_S = 0.5
GAPS = (1, 2, 4, 10)  # views
Measure = Callable[[Floats, Floats], float]


@dataclass(frozen=True)
class Seen:
    """One view, and what is said of it."""

    thumbnail: Floats
    visual: Floats
    caption: str


Pair = tuple[Seen, Seen]


def see(speaker: Speaker, pixels: Pixels) -> Seen:
    """Encode and caption a frame."""
    visual = speaker.encode(pixels)
    said = speaker.say(visual, Captioner(GateSettings(), DraftPlan()))
    return Seen(luma_thumbnail(pixels), visual, said.text)


def watch(speaker: Speaker, seed: int, images: list[Pixels]) -> list[Seen]:
    """The images one after the other through one sensor."""
    rng = np.random.default_rng([seed, 3])
    sensor = random_sensor(rng)
    return [see(speaker, sensor.expose(image, rng)) for image in images]


def images_of(seed: int, views: int) -> list[Pixels]:
    """Of a slow drive, without a sensor's faults."""
    return [render(*at).image for at in islice(slow_drive(seed, PERIOD_S), views)]


def changed_scenes(speaker: Speaker, count: int) -> list[Pair]:
    """Views before and after a thing vanished."""
    pairs: list[Pair] = []
    for index in range(count):
        rng = np.random.default_rng([index, 5])
        sensor = random_sensor(rng)
        if images := vanishing(index):
            before, after = (see(speaker, sensor.expose(image, rng)) for image in images)
            pairs.append((before, after))
    return pairs


def pooled(before: Floats, after: Floats) -> float:
    """Of the mean tokens."""
    return token_change(before.mean(0), after.mean(0))


def pooled_centred(mean: Floats) -> Measure:
    """Of the mean tokens, less those of all views."""
    return lambda a, b: token_change(a.mean(0) - mean, b.mean(0) - mean)


def centred(before: Floats, after: Floats) -> float:
    """Of all tokens, less their mean in each view."""
    return token_change(before - before.mean(0), after - after.mean(0))


def area(low: np.ndarray, high: np.ndarray) -> float:
    """Under the ROC curve: how often a high value is above a low one."""
    return float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean())


def print_measures(groups: dict[str, list[Pair]], mean: Floats) -> None:
    """How well ways to compare visual tokens tell groups apart."""
    measures: dict[str, Measure] = {
        'all tokens (chosen)': token_change,
        'all tokens, centred': centred,
        'mean token': pooled,
        'mean token, centred': pooled_centred(mean),
    }
    print(f'\n{"area under ROC":22}{"still / vanished":>18}{"drive: same / differs":>24}')
    for name, measure in measures.items():
        found = {
            group: np.array([measure(a.visual, b.visual) for a, b in pairs])
            for group, pairs in groups.items()
        }
        scene = area(found['still'], found['vanished'])
        speech = area(found['drive, same'], found['drive, differs'])
        print(f'{name:22}{scene:18.3f}{speech:24.3f}')


def print_shares(title: str, groups: dict[str, list[float]], thresholds: list[float]) -> None:
    """The share of each group that each threshold lets through."""
    print(f'\n{title:22}' + ''.join(f'{name:>16}' for name in groups))
    for threshold in thresholds:
        shares = [np.mean(np.array(values) >= threshold) for values in groups.values()]
        print(f'{threshold:<22}' + ''.join(f'{share:16.3f}' for share in shares))


def replay(drive: list[Seen], settings: GateSettings) -> tuple[int, int, int]:
    """Looks, captions, and views whose caption would be another than the last one said."""
    gate, looks, captions, wrong, said = ChangeGate(settings), 0, 0, 0, ''
    for index, seen in enumerate(drive):
        now = index * PERIOD_S
        if gate.must_look(seen.thumbnail, now):
            gate.look(seen.thumbnail)
            looks += 1
            if gate.reason(gate.change(seen.visual), now) is not None:
                gate.tell(seen.visual, now)
                captions, said = captions + 1, seen.caption
        wrong += said != seen.caption
    return looks, captions, wrong


def print_replay(drives: dict[str, list[list[Seen]]]) -> None:
    """What whole gates do to whole drives."""
    print(f'\n{"look, caption at":22}' + ''.join(f'{name:>36}' for name in drives))
    print(' ' * 22 + f'{"looked at   captions   out of date":>36}' * len(drives))
    for look, caption in ((0.0, 0.0), (0.04, 0.005), (0.04, 0.01), (0.04, 0.02), (0.08, 0.01)):
        row = f'{f"{look:g}, {caption:g}":22}'
        for group in drives.values():
            found = [replay(drive, GateSettings(look, caption)) for drive in group]
            looks, captions, wrong = np.sum(found, axis=0) / sum(map(len, group))
            row += f'{looks:14.1%}{captions:11.1%}{wrong:11.1%}'
        print(row)


def main() -> None:
    """See everything once, print four tables."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='models/nano')
    parser.add_argument('--rooms', type=int, default=8)
    parser.add_argument('--views', type=int, default=90, help='in each room')
    parser.add_argument('--scenes', type=int, default=200)
    args = parser.parse_args()
    speaker = Speaker(args.bundle)
    images = [images_of(seed, args.views) for seed in range(args.rooms)]
    moving = [watch(speaker, seed, each) for seed, each in enumerate(images)]
    stops = [each[at] for each in images for at in range(0, args.views, 15)]
    standing = [watch(speaker, seed, [image] * 6) for seed, image in enumerate(stops)]
    pairs = [pair for d in moving for gap in GAPS for pair in zip(d, d[gap:], strict=False)]
    groups = {
        'still': [pair for views in standing for pair in pairwise(views)],
        'drive, same': [(a, b) for a, b in pairs if a.caption == b.caption],
        'drive, differs': [(a, b) for a, b in pairs if a.caption != b.caption],
        'vanished': changed_scenes(speaker, args.scenes),
    }
    print({name: len(found) for name, found in groups.items()})
    luma, tokens = (
        {name: [measure(a, b) for a, b in found] for name, found in groups.items()}
        for measure in (
            lambda a, b: luma_change(a.thumbnail, b.thumbnail),
            lambda a, b: token_change(a.visual, b.visual),
        )
    )
    print_shares('luma change >=', luma, [0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2])
    print_shares('token change >=', tokens, [0.001, 0.002, 0.005, 0.01, 0.02, 0.04])
    print_measures(groups, np.mean([s.visual.mean(0) for d in moving for s in d], axis=0))
    parked = [watch(speaker, seed, each[:1] * args.views) for seed, each in enumerate(images[:3])]
    print_replay({'slow drive': moving, 'standing': parked})


if __name__ == '__main__':
    main()
