"""An examination in typed questions: all those about a frame are scored as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mobilevlm_ros.engine.bundle import load_bundle
from mobilevlm_ros.engine.choices import Doubles, Scores, check_choices
from mobilevlm_ros.engine.choose import score
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.encoder import create_encoder
from mobilevlm_ros.engine.llm import create_llm
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.sequences import HEAD, SequencePool
from mobilevlm_ros.engine.steps import Part, R, Task, run_alone
from mobilevlm_ros.engine.types import Pixels
from mobilevlm_ros.sim.exam import sheets
from mobilevlm_ros.sim.typed import choices_of

SEQUENCES = 200  # every choice of all questions about a frame has one
CELLS = 2048  # for all these choices, beside the longest conversation


@dataclass(frozen=True, eq=False)
class TypedMark:
    """One question, and the log-probability that the model gave to each of its choices."""

    scene: int
    kind: str
    question: str
    choices: tuple[str, ...]
    truth: int  # index into choices
    scores: Doubles  # (choices,)
    decoded_tokens: int  # what it cost


class TypedReader(AbstractContextManager['TypedReader']):
    """A bundle that scores typed questions about one frame after the other."""

    def __init__(self, path: Path | str, config: EngineConfig | None = None) -> None:
        self.bundle = load_bundle(path)
        config = config or EngineConfig()
        self._encoder = create_encoder(self.bundle, config)
        self._llm = create_llm(self.bundle, config, SEQUENCES, CELLS)
        head = head_tokens(self.bundle.prompt, self._llm.tokenise, self._llm.bos)
        self._pool = SequencePool(self._llm, head)
        self._frame = self._pool.take(HEAD)

    def scores(self, image: Pixels, asked: Sequence[tuple[str, Sequence[str]]]) -> list[Scores]:
        """What the choices of each question, asked as (question, choices), are found to be."""
        pixels = preprocess(image, self.bundle.vision)[None]
        self._pool.give_back(self._frame)
        self._frame = self._pool.take(HEAD)
        self._llm.decode_embeddings(self._frame, self._encoder.encode(pixels)[0])
        tasks = [self._task(*question) for question in asked]
        return run_alone(self._llm, together(tasks))

    def close(self) -> None:
        """Free both models."""
        self._encoder.close()
        self._llm.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _task(self, question: str, choices: Sequence[str]) -> Task[Scores]:
        tokenise = self._llm.tokenise
        tokens = [tokenise(choice) for choice in check_choices(choices)]
        asked = question_tokens(self.bundle.prompt, question, tokenise)
        return score(self._llm, self._pool, self._frame, asked, tokens)


def together(tasks: Sequence[Task[R]]) -> Task[list[R]]:
    """Tasks of parts in lockstep, their steps joined; the result of each."""
    results: dict[int, R] = {}
    sent: list[Any] = [None] * len(tasks)
    try:
        while len(results) < len(tasks):
            steps: dict[int, Sequence[Part]] = {}
            for number in (n for n in range(len(tasks)) if n not in results):
                try:
                    steps[number] = tasks[number].send(sent[number])
                except StopIteration as end:
                    results[number] = end.value
            if steps:
                logits = iter((yield [part for step in steps.values() for part in step]))
                sent = [list(islice(logits, len(steps.get(n, ())))) for n in range(len(tasks))]
    finally:
        for task in tasks:
            task.close()
    return [results[number] for number in range(len(tasks))]


def typed_marks(reader: TypedReader, split: str, seed: int, questions: int) -> Iterator[TypedMark]:
    """The first so many typed questions of a split, with a progress bar."""
    with tqdm(total=questions, desc=split, unit='question', leave=False, disable=None) as bar:
        for mark in islice(_marks(reader, split, seed, questions), questions):
            bar.update()
            yield mark


def _marks(reader: TypedReader, split: str, seed: int, questions: int) -> Iterator[TypedMark]:
    for sheet in sheets(split, seed, questions):
        asked = [(qa, choices_of(qa.kind, qa.question)) for qa in sheet.questions]
        asked = [(qa, choices) for qa, choices in asked if qa.answer in choices]
        found = reader.scores(sheet.image, [(qa.question, choices) for qa, choices in asked])
        for (qa, choices), scores in zip(asked, found, strict=True):
            truth = choices.index(qa.answer)
            yield TypedMark(
                sheet.index,
                qa.kind,
                qa.question,
                choices,
                truth,
                scores.log_probabilities,
                scores.decoded_tokens,
            )
