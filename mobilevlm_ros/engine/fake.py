"""A deterministic encoder and language model without weights, for tests of what lies above."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from mobilevlm_ros.engine.bundle import Bundle, PromptSpec, VisionSpec
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.engine import Engine
from mobilevlm_ros.engine.errors import BackendError
from mobilevlm_ros.engine.freshness import steady_s
from mobilevlm_ros.engine.llm import (
    check_append,
    check_copy,
    check_parts,
    check_truncate,
    shared_cells,
)
from mobilevlm_ros.engine.sequences import sequences_needed
from mobilevlm_ros.engine.steps import Part
from mobilevlm_ros.engine.types import Floats

_BOS, _END = 256, 257  # after one token for each byte
_VOCABULARY = 258
_MARK = b'ASSISTANT:'  # what an answer begins behind

_Cell = list[Any]  # of one token or embedding; a copied sequence shares them
Reply = Callable[[str, Floats], str]  # question part, visual tokens (n, width) -> answer
See = Callable[[float], float]  # brightness of an image -> what the encoder makes of it


def fake_bundle() -> Bundle:
    """A bundle that exists in memory alone, for the fakes."""
    return Bundle(
        path=Path('fake'),
        name='fake',
        architecture='mobilevlm',
        vision=VisionSpec(16, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), visual_tokens=4, width=8),
        context_length=512,
        prompt=PromptSpec('USER: ', '\n{question} ASSISTANT:', ('</s>',)),
        caption_question='Describe the scene.',
        max_tokens=64,
    )


def describe(question: str, visual: Floats) -> str:
    """The default reply: says how bright the image is, so that tests can tell images apart."""
    asked = question.removesuffix('ASSISTANT:').strip()
    return f'{asked} brightness {round(float(visual.mean()))}'


def create_fake_engine(
    config: EngineConfig | None = None,
    reply: Reply = describe,
    clock: Callable[[], int] = time.time_ns,
    see: See = float,
    steady_s: Callable[[], float] = steady_s,
) -> Engine:
    """An engine over the fakes; whatever `reply` and `see` raise is a fault of a model."""
    bundle, config = fake_bundle(), config or EngineConfig()
    length = bundle.context_length
    llm = FakeLanguageModel(
        bundle.vision.width,
        length,
        sequences_needed(config),
        reply,
        cells=length + shared_cells(bundle, config),
    )
    return Engine(bundle, FakeEncoder(bundle.vision, see=see), llm, config, clock, steady_s)


class FakeEncoder:
    """Every visual token is the brightness of the image, from 0 to 255."""

    name = 'fake'

    def __init__(self, vision: VisionSpec, delay_s: float = 0.0, see: See = float) -> None:
        self._vision = vision
        self._delay_s = delay_s
        self._see = see
        self.encoded = 0  # images so far

    def encode(self, pixels: Floats) -> Floats:
        """Turn float32 (n, 3, size, size) into visual tokens, float32 (n, tokens, width)."""
        time.sleep(self._delay_s)
        self.encoded += len(pixels)
        mean = np.array(self._vision.mean, np.float32)
        std = np.array(self._vision.std, np.float32)
        brightness = (pixels.mean(axis=(2, 3)) * std + mean).mean(axis=1) * 255
        seen = np.array([self._see(float(value)) for value in brightness], np.float32)
        shape = (len(pixels), self._vision.visual_tokens, self._vision.width)
        return np.broadcast_to(seen[:, None, None], shape).astype(np.float32)

    def close(self) -> None:
        """Free nothing."""


class FakeLanguageModel:
    """One token for each byte; answers what `reply` says, and counts what it decodes."""

    name = 'fake'
    placement = ''
    bos, end = _BOS, _END
    vocabulary = _VOCABULARY

    def __init__(
        self,
        width: int = 8,
        context_length: int = 512,
        sequences: int = 8,
        reply: Reply = describe,
        delay_s: float = 0.0,
        cells: int = 1 << 20,
    ) -> None:
        self.width = width
        self.context_length = context_length
        self.sequences = sequences
        self.cells = cells
        self.decoded = 0  # tokens and embeddings so far
        self._reply = reply
        self._delay_s = delay_s  # of every call
        self._contents: list[list[_Cell]] = [[] for _ in range(sequences)]

    def tokenise(self, text: str) -> list[int]:
        """One token for each byte of UTF-8."""
        return list(text.encode())

    def piece(self, token: int) -> bytes:
        """The byte."""
        return bytes([token]) if token < _BOS else b''

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return token == _END

    def length(self, sequence: int) -> int:
        """Tokens in the sequence."""
        return len(self._contents[sequence])

    def decode(self, sequence: int, tokens: Sequence[int]) -> Floats:
        """Append tokens; the logits favour the next token of the reply."""
        logits: Floats = self.decode_parts([Part(sequence, tokens)])[0][0]
        return logits

    def decode_parts(self, parts: Sequence[Part]) -> list[Floats]:
        """Append tokens to several sequences at once, or to none."""
        check_parts(self, parts)
        self._check_cells(sum(len(part.tokens) for part in parts))
        time.sleep(self._delay_s)
        before = {number: self.length(number) for part in parts for number in part.sequences}
        try:
            return [self._decode(part) for part in parts]
        except Exception:
            for sequence, length in before.items():
                self.truncate(sequence, length)
            raise

    def decode_embeddings(self, sequence: int, embeddings: Floats) -> None:
        """Append embeddings, float32 (n, width), in place of tokens."""
        check_append(self, sequence, len(embeddings))
        self._check_cells(len(embeddings))
        time.sleep(self._delay_s)
        self._append(sequence, list(embeddings))

    def copy(self, source: int, target: int) -> None:
        """Make an empty sequence begin as another one is now."""
        check_copy(self, source, target)
        self._contents[target] = list(self._contents[source])

    def truncate(self, sequence: int, length: int) -> None:
        """Keep the first tokens of the sequence."""
        check_truncate(self, sequence, length)
        del self._contents[sequence][length:]

    def remove(self, sequence: int) -> None:
        """Empty the sequence."""
        self.truncate(sequence, 0)

    def close(self) -> None:
        """Free nothing."""

    @property
    def cells_used(self) -> int:
        """Tokens of all sequences, those that they share counted once."""
        return len({id(cell) for contents in self._contents for cell in contents})

    def _check_cells(self, count: int) -> None:
        if self.cells_used + count > self.cells:
            raise BackendError(f'the KV cache has no room for {count} more tokens')

    def _decode(self, part: Part) -> Floats:
        rows = np.zeros((part.rows, _VOCABULARY), np.float32)
        first = len(part.tokens) - part.rows
        self._append(part.sequence, part.tokens[:first])
        for row, token in zip(rows, part.tokens[first:], strict=True):
            self._append(part.sequence, [token])
            row[self._next(part.sequence)] = 100.0
        for sequence in part.also:
            self._contents[sequence].extend(self._contents[part.sequence][-len(part.tokens) :])
        return rows

    def _append(self, sequence: int, values: Sequence[int | Floats]) -> None:
        self.decoded += len(values)
        self._contents[sequence].extend([value] for value in values)

    def _next(self, sequence: int) -> int:
        """The token that the reply goes on with, after what was said of it already."""
        contents = [value for (value,) in self._contents[sequence]]
        visual = [value for value in contents if isinstance(value, np.ndarray)]
        behind = takewhile(lambda value: not isinstance(value, np.ndarray), reversed(contents))
        said = bytes(token for token in behind if token < _BOS)[::-1]  # what follows the image
        for mark in re.finditer(_MARK, said) if visual else ():
            question, begun = said[: mark.end()].decode(errors='replace'), said[mark.end() :]
            answer = self._reply(question, np.stack(visual)).encode()
            if answer.startswith(begun):
                following: int = [*answer, _END][len(begun)]
                return following
        return _END
