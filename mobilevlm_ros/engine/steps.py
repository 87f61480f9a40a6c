"""What tasks ask of the language model: so that many of them are decoded as one batch.

A task is a generator that yields a step and is sent the logits that it asked for. It owns the
sequences that it names and never calls `decode` itself. Between two steps it may copy, truncate
and remove sequences.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from mobilevlm_ros.engine.types import Floats

R = TypeVar('R')


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens to append to one sequence, or to several that are alike.

    Several share the cells of these tokens, as if one had been copied afterwards, so that parts
    behind can tell them apart within the same step.
    """

    sequence: int
    tokens: Sequence[int]
    rows: int = 1  # of logits wanted: those after each of so many of the last tokens
    also: tuple[int, ...] = ()  # other sequences that hold the same as this one so far

    @property
    def sequences(self) -> tuple[int, ...]:
        """All that the tokens go to."""
        return (self.sequence, *self.also)


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Visual tokens to append to one sequence, float32 (n, width); no logits come of them."""

    sequence: int
    values: Floats


Step: TypeAlias = 'Sequence[Part] | Embeddings'
# What is sent for a step of parts: for each part float32 (rows, vocabulary), which the next
# decode overwrites. For embeddings: nothing.
Logits: TypeAlias = list[Floats]
Task: TypeAlias = Generator[Step, Logits, R]


class Decoder(Protocol):
    """What a step needs of a LanguageModel."""

    def decode_parts(self, parts: Sequence[Part]) -> list[Floats]:
        """Append tokens; returns rows of logits."""

    def decode_embeddings(self, sequence: int, embeddings: Floats) -> None:
        """Append embeddings."""


def decode_step(llm: Decoder, step: Step) -> Logits:
    """One step on its own."""
    if isinstance(step, Embeddings):
        llm.decode_embeddings(step.sequence, step.values)
        return []
    return llm.decode_parts(step)


def run_alone(llm: Decoder, task: Task[R]) -> R:
    """Run a task to its end with nothing beside it: what running many at once must equal."""
    try:
        step = next(task)
        while True:
            try:
                logits = decode_step(llm, step)
            except Exception as error:
                step = task.throw(error)
            else:
                step = task.send(logits)
    except StopIteration as end:
        result: R = end.value
        return result
