"""Second and third stage: the language model learns to answer, then everything learns together.

All questions about an image share one sequence: prompt head and image once, then every question
with its answer, each under a mask that hides the others and at the positions that it would have
alone. So one pass trains on exactly what the engine later decodes from a held frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sentencepiece
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilevlm_ros.model.mobilevlm import MobileVlm
from mobilevlm_ros.training.stage import Losses

HEAD = 'A robot answers questions about what its camera sees. USER: '
QUESTION = '\n{question} ASSISTANT:'
IGNORED = -100
ONCE = 'describe'  # longest answers, and all wordings share one: one of them an image is enough
WEIGHTS = {'describe': 3.0}  # of a kind's loss; a description is only right if every word is
PADDING = 64  # sequences have a multiple of this length, so that few shapes are compiled


@dataclass(frozen=True)
class Turn:
    """Tokens of a question and of its answer, end of sequence included; its kind's number."""

    question: list[int]
    answer: list[int]
    kind: int


@dataclass(frozen=True)
class Packed:
    """Turns of several images, padded to one length.

    Attributes:
        ids: int64 [b, n], tokens after the image.
        labels: int64 [b, n], the next token where it is part of an answer, else IGNORED.
        turn: int64 [b, n], number of the turn, -1 in the padding.
        place: int64 [b, n], place within the turn.
        kind: int64 [b, n], kind of the question.
    """

    ids: Tensor
    labels: Tensor
    turn: Tensor
    place: Tensor
    kind: Tensor


def to_turns(
    asked: list[tuple[str, str, str]],
    tokenizer: sentencepiece.SentencePieceProcessor,
    kinds: list[str],
) -> list[Turn]:
    """Tokenise questions and answers as the engine does, each part on its own."""
    end = tokenizer.eos_id()
    return [
        Turn(
            tokenizer.encode(QUESTION.format(question=question)),
            [*tokenizer.encode(answer), end],
            kinds.index(kind),
        )
        for kind, question, answer in asked
    ]


def choose_turns(turns: list[Turn], most: int, once: int, rng: np.random.Generator) -> list[Turn]:
    """A random choice of turns, with no more than one of the kind numbered `once`."""
    order = [turns[i] for i in rng.permutation(len(turns))]
    first = [t for t in order if t.kind == once][:1]
    return [*first, *(t for t in order if t.kind != once)][:most]


def pack(images: list[list[Turn]], padding: int = 1) -> Packed:
    """Lay the turns of each image end to end, to a multiple of `padding` tokens."""
    rows = [_pack_row(turns) for turns in images]
    longest = -(-max(len(row[0]) for row in rows) // padding) * padding
    fills = (0, IGNORED, -1, 0, 0)
    columns = [
        torch.tensor([list(row[i]) + [fill] * (longest - len(row[i])) for row in rows])
        for i, fill in enumerate(fills)
    ]
    return Packed(*columns)


def _pack_row(turns: list[Turn]) -> tuple[list[int], ...]:
    ids: list[int] = []
    labels: list[int] = []
    turn: list[int] = []
    place: list[int] = []
    kind: list[int] = []
    for number, t in enumerate(turns):
        tokens = t.question + t.answer[:-1]
        ids += tokens
        labels += [IGNORED] * (len(t.question) - 1) + t.answer
        turn += [number] * len(tokens)
        place += range(len(tokens))
        kind += [t.kind] * len(tokens)
    return ids, labels, turn, place, kind


def attention_mask(turn: Tensor, prefix: int) -> Tensor:
    """Causal, and turns see the prefix and themselves: bool [b, 1, prefix + n, prefix + n]."""
    b, n = turn.shape
    length = prefix + n
    whole = torch.cat([torch.full((b, prefix), -2), turn], 1)
    same = whole[:, :, None] == whole[:, None, :]
    in_prefix = torch.arange(length) < prefix
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return ((same | in_prefix) & causal)[:, None]


def language_losses(
    model: MobileVlm, head: Tensor, visual: Tensor, packed: Packed, kinds: list[str]
) -> Losses:
    """Cross-entropy of the answers' tokens; kinds weigh by WEIGHTS, not by their answers' length.

    Args:
        model: what is trained.
        head: int64 [h], tokens of the prompt head, BOS first.
        visual: [b, tokens, width].
        packed: the turns about each image.
        kinds: names of the kinds, for the losses.
    """
    b = len(visual)
    embed = model.llama.get_input_embeddings()
    prefix = len(head) + visual.shape[1]
    start = embed(head).expand(b, -1, -1)
    embeddings = torch.cat([start, visual.to(start.dtype), embed(packed.ids)], 1)
    positions = torch.cat([torch.arange(prefix).expand(b, -1), packed.place + prefix], 1)
    allowed = attention_mask(packed.turn, prefix)
    hidden = model.llama.model(
        inputs_embeds=embeddings,
        position_ids=positions,
        attention_mask=torch.zeros(allowed.shape, dtype=embeddings.dtype).masked_fill(
            ~allowed, torch.finfo(embeddings.dtype).min
        ),
        use_cache=False,
    ).last_hidden_state
    known = packed.labels != IGNORED
    logits = model.llama.lm_head(hidden[:, prefix:][known]).float()
    each = F.cross_entropy(logits, packed.labels[known], reduction='none')
    return _by_kind(each, packed.kind[known], kinds)


def _by_kind(each: Tensor, kind: Tensor, kinds: list[str]) -> Losses:
    return {
        name: each[kind == number].mean() * WEIGHTS.get(name, 1.0) / len(kinds)
        for number, name in enumerate(kinds)
        if bool((kind == number).any())
    }
