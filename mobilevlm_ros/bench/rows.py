"""What is measured, by whom, and what is hoped for."""

from __future__ import annotations

from dataclasses import dataclass

OURS, PEER, FLOOR = 'ours', 'peer', 'floor'


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. The method of that name of each side returns its value."""

    name: str
    title: str
    unit: str = 'ms'
    sides: tuple[str, ...] = (OURS, PEER, FLOOR)
    peer_target: float = 0.0  # times as fast as the peer, at 1.7B on two cores; 0: none
    floor_target: float = 0.0

    @property
    def higher_is_better(self) -> bool:
        """Whether the value is a rate."""
        return self.unit == 'tok/s'


ROWS = (
    Row('encode', 'encode a frame', peer_target=3.0),
    Row('new_frame', 'first token on a new frame', peer_target=1.9),
    Row('held_frame', 'first token on a held frame', peer_target=10.0, floor_target=0.9),
    Row('four_questions', 'four typed questions, new frame', peer_target=5.0),
    Row('four_questions_held', 'four typed questions, held frame'),
    Row('answer', '64-token answer, held frame'),
    Row('decode', 'decode', 'tok/s', floor_target=0.97),
    Row('looking', 'first token while a camera is looked at', sides=(OURS, PEER)),
)
CAPTIONS = Row(
    'caption_stream', 'captions of a slowly changing view', 'tok/s', (OURS, PEER), peer_target=1.5
)
STATIC = Row('static_view', 'CPU seconds a minute, static view', 's', (OURS, PEER))
