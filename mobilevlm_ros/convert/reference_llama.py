"""The language model in transformers, float32: what llama.cpp is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import LlamaForCausalLM

from mobilevlm_ros.convert.llama_gguf import llama_shapes
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.engine.types import Floats


@dataclass(frozen=True)
class Prompt:
    """Tokens before the image, the image's visual tokens, tokens after it."""

    head: Sequence[int]
    visual: Floats  # float32 (tokens, width)
    question: Sequence[int]


@dataclass(frozen=True)
class Continuation:
    """The reference's greedy answer to a prompt, and the logits on the way.

    `logits` is float32 (positions, vocabulary): after the last token of the head, after each of
    the question's, and after each of the answer's but its last.
    """

    prompt: Prompt
    answer: tuple[int, ...]  # the end token included, where it came
    logits: Floats


def load_llama(source: Source) -> Any:
    """LlamaForCausalLM in float32 with the source's weights, read one tensor at a time."""
    model = LlamaForCausalLM(source.geometry.llama())
    weights = model.state_dict()
    with torch.no_grad():
        for name in tqdm(llama_shapes(source.geometry), 'checkpoint, float32', unit='tensor'):
            weights[name].copy_(source.read(name))
    return model.eval()


def continue_greedily(model: Any, prompt: Prompt, tokens: int, end: int) -> Continuation:
    """Answer a prompt with at most so many tokens, always the likeliest."""
    embed = model.get_input_embeddings()
    parts = [embed(_row(prompt.head)), torch.from_numpy(prompt.visual)[None]]
    with torch.no_grad():
        before = model(inputs_embeds=torch.cat(parts, 1), use_cache=True)
        step = model(_row(prompt.question), past_key_values=before.past_key_values)
        kept = [before.logits[0, len(prompt.head) - 1, None], step.logits[0]]
        answer = [int(kept[-1][-1].argmax())]
        while len(answer) < tokens and answer[-1] != end:
            step = model(_row(answer[-1:]), past_key_values=step.past_key_values)
            kept.append(step.logits[0])
            answer.append(int(kept[-1][-1].argmax()))
    return Continuation(prompt, tuple(answer), np.asarray(torch.cat(kept).float().numpy()))


@torch.no_grad()
def replay_reference(model: Any, reference: Continuation) -> Floats:
    """The logits of another model at the reference's positions, given the reference's tokens."""
    prompt = reference.prompt
    embed = model.get_input_embeddings()
    after = [*prompt.question, *reference.answer[:-1]]
    parts = [embed(_row(prompt.head)), torch.from_numpy(prompt.visual)[None], embed(_row(after))]
    hidden = model.model(inputs_embeds=torch.cat(parts, 1)).last_hidden_state[0]
    first = len(prompt.head) - 1
    kept = torch.cat([hidden[first, None], hidden[-len(after) :]])
    return np.asarray(model.lm_head(kept).numpy())


def _row(tokens: Sequence[int]) -> Tensor:
    return torch.tensor([list(tokens)])
