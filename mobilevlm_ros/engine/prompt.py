"""The prompt around image and question.

A prompt is: beginning-of-sequence token, head, visual tokens, question part. The text parts are
tokenised each on its own, as MobileVLM's own code does, so that head and image can be decoded
before a question is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobilevlm_ros.engine.bundle import PromptSpec

Tokenise = Callable[[str], Sequence[int]]


def head_tokens(prompt: PromptSpec, tokenise: Tokenise, bos: int) -> list[int]:
    """What comes before the image; the same for every frame and question."""
    return [bos, *tokenise(prompt.head)]


def question_tokens(prompt: PromptSpec, question: str, tokenise: Tokenise) -> list[int]:
    """What comes after the image."""
    return list(tokenise(question_part(prompt, question)))


def turn_tokens(prompt: PromptSpec, question: str, first: bool, tokenise: Tokenise) -> list[int]:
    """A question of a conversation: only the first stands behind the image."""
    if first or not prompt.turn:
        return question_tokens(prompt, question, tokenise)
    text = prompt.turn.replace('{question}', question.strip())
    return list(tokenise(text)) if prompt.turn_space else _without_space(text, tokenise)


def _without_space(text: str, tokenise: Tokenise) -> list[int]:
    """Tokens of a text that no space is put before: a line break takes it, and is left out."""
    line_break = tokenise('\n')
    return list(tokenise('\n' + text)[len(line_break) :])


def question_part(prompt: PromptSpec, question: str) -> str:
    """The template with the question in its place."""
    return prompt.question.replace('{question}', question.strip())
